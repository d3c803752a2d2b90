"""Every setting of a site, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr


def walk(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Each setting's dotted name, value and description."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from walk(value, f"{prefix}{name}.")
        elif isinstance(value, dict) and all(isinstance(one, BaseModel) for one in value.values()):
            for key, one in value.items():
                yield from walk(one, f"{prefix}{name}.{key}.")
        else:
            yield f"{prefix}{name}", value, field.description or ""


def secrets_in(section: BaseModel) -> Iterator[tuple[str, SecretStr]]:
    """Every secret that is set, with its dotted name."""
    for name, value, _ in walk(section):
        if isinstance(value, SecretStr):
            yield name, value


def names_in(section: BaseModel) -> Iterator[str]:
    """All that the settings say in clear: paths with the folders above them, hosts, buckets, names."""
    for _, value, _ in walk(section):
        if isinstance(value, Path):
            yield str(value)
            yield from (str(folder) for folder in value.parents if folder != folder.parent)
        elif isinstance(value, str):
            yield value
            yield urlsplit(value).hostname or ""
            if value.partition(":")[2].startswith("/"):  # process:/a/folder
                yield value.partition(":")[2]
        elif isinstance(value, tuple):
            yield from (str(word) for word in value)
