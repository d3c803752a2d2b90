"""Kinds of options that several commands have."""

from __future__ import annotations

from typing import Any

import typer


def text(*names: str, help: str, metavar: str | None = None) -> Any:
    """An option with a text. An empty $(recover backup latest) must not turn into a wish for something else."""
    return typer.Option(*names, help=help, metavar=metavar, callback=_not_empty)


def _not_empty(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("is empty")
    return value
