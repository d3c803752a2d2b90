"""What the application is like, from outside and from inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from recovery.facts.workloads import DeploymentFacts, PodUsage, WorkloadEvent


@dataclass(frozen=True)
class HealthFacts:
    """What the application's own health check said. `status` is 0 when nothing answered; `problem` says why."""

    status: int
    seconds: float
    checks: Mapping[str, str]  # database: pass | warn | fail
    problem: str = ""
    looks: int = 1  # how often it was asked, and how often it was not green: this is the worst answer
    red_looks: int = 0

    @property
    def green(self) -> bool:
        """Whether its users are served: `healthy` and `degraded` both answer 200."""
        return self.status == 200

    @property
    def down(self) -> bool:
        """Whether it was red each time: one red answer of several is an ill pod, and no outage."""
        return self.red_looks >= self.looks and not self.green

    @property
    def failed_parts(self) -> tuple[str, ...]:
        """What it says is broken behind it."""
        return tuple(name for name, said in self.checks.items() if said == "fail")


@dataclass(frozen=True)
class ApplicationFacts:
    """All that was seen of the application at one moment."""

    health: HealthFacts
    deployment: DeploymentFacts
    events: tuple[WorkloadEvent, ...]
    usage: tuple[PodUsage, ...] | None
    logs: Mapping[str, str]  # pod → its last lines
    behind: Mapping[str, str | None]  # database, redis: why it does not answer from here; None when it does
    seen_at: datetime
    not_permitted: tuple[str, ...] = ()  # what we may not do to the deployment
    unseen: tuple[str, ...] = ()  # what could not be looked at, and why
    needs_what_is_behind: bool = True  # the frontend needs neither database nor cache
