"""What a recovery came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recovery.facts.plan import Plan

Outcome = Literal["healthy", "planned", "recovered"]


@dataclass(frozen=True)
class RecoveryReport:
    """What was wrong, what was done, and what was measured; `incident` is None when none was opened."""

    scenario: str
    incident: str | None
    outcome: Outcome
    cause: str
    detail: str
    plan: Plan
    done: tuple[str, ...] = ()
    metrics: tuple[dict[str, str], ...] = ()
