"""What a person was asked, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Request:
    """A plan that waits for a person, until a moment."""

    number: int
    plan: str
    summary: str
    asked_at: datetime
    until: datetime


@dataclass(frozen=True)
class Answer:
    """What somebody said of a plan. `by` is as claimed; `user` is who the machine, or the API, knows."""

    plan: str
    granted: bool
    by: str
    reason: str
    user: str
    way: str
    at: datetime
    valid_until: datetime
