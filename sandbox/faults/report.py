"""What a fault is asked for, and what it says it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.layout import Sandbox

Undo = Callable[[Sandbox, dict[str, Any]], str]


@dataclass(frozen=True)
class Options:
    """How a fault is made. Each fault uses those that concern it."""

    table: str | None = None
    rows: int = 500
    server: str = "both"
    repo: int | None = None
    segment: str | None = None
    delay_ms: int = 200
    cut: bool = False
    free_bytes: int = 1_000_000


@dataclass(frozen=True)
class Broken:
    """What was done. `committed_at` is the moment to recover to just before."""

    said: str
    committed_at: datetime | None = None
    details: dict[str, str | int] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    ill: bool = False  # the application is to mind: break_it ends when it does
