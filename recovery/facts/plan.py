"""What is going to be done, why this and not something else, and what cannot be taken back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

Mode = Literal["plan", "approve", "auto"]
Policy = Literal["auto", "approve", "never"]


@dataclass(frozen=True)
class PlanFact:
    """One thing that was seen. A decisive one belongs to what is approved: another value is another plan."""

    name: str
    value: str
    decisive: bool = False


@dataclass(frozen=True)
class PlannedAction:
    """One step that changes something. `value` is its number, where it has one: a version, a count of pods."""

    name: str
    what: str
    value: int | None = None
    irreversible: bool = False
    policy: Policy = "auto"


@dataclass(frozen=True)
class Option:
    """One way to recover: what it does, how long it takes and what it costs; `rejected` says why it is not taken."""

    name: str
    title: str
    actions: tuple[PlannedAction, ...]
    expected_recovery: timedelta
    expected_loss: timedelta
    basis: str
    rejected: str | None = None

    def without(self, reason: str) -> Option:
        """The same option, rejected."""
        return replace(self, rejected=reason)


@dataclass(frozen=True)
class Plan:
    """The options in the order in which they are tried, from facts that were seen at a moment."""

    scenario: str
    site: str
    incident: str
    severity: str
    made_at: datetime
    facts: tuple[PlanFact, ...]
    options: tuple[Option, ...]

    @property
    def chosen(self) -> tuple[Option, ...]:
        """What is going to be tried, one after the other."""
        return tuple(one for one in self.options if one.rejected is None)

    @property
    def digest(self) -> str:
        """What an approval is bound to: all that decides what is done, and nothing that differs at every look.

        SHA-256 in hex. Estimates and the moment of the look are left out; what is done, to what, in which order, at
        which loss and for which cause, and what cannot be undone, is in it.
        """
        decisive = {
            "scenario": self.scenario,
            "site": self.site,
            "incident": self.incident,
            "severity": self.severity,
            "facts": [[one.name, one.value] for one in self.facts if one.decisive],
            "options": [
                [
                    one.name,
                    one.expected_loss.total_seconds(),
                    [[step.name, step.what, step.value, step.irreversible] for step in one.actions],
                ]
                for one in self.chosen
            ],
        }
        return hashlib.sha256(json.dumps(decisive, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def to_approve(self) -> tuple[PlannedAction, ...]:
        """The steps that a person has to say yes to."""
        return tuple(step for one in self.chosen for step in one.actions if step.policy == "approve")
