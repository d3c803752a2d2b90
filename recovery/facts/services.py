"""What is found of a service: whether it runs, since when, how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ServiceState = Literal[
    "running",
    "starting",  # it comes up: its first health check, crash recovery, a data set that is being loaded
    "restarting",  # it ended by itself, and whoever watches over it starts it again and again
    "stopping",
    "stopped",  # it was told to end, and did
    "failed",  # it ended by itself, was killed, or cannot be started
    "paused",  # frozen: it is there and does nothing
]


@dataclass(frozen=True)
class ServiceFacts:
    """A service as it is now. One that could not be looked at has no facts: that is an error."""

    locator: str
    state: ServiceState
    since: datetime | None = None  # when it was started, or ended
    restarts: int | None = None  # by whoever watches over it, since a person started it; None when nobody counts
    exit_code: int | None = None  # of one that ended
    pid: int | None = None
    healthy: bool | None = None  # by its own health check; None when it has none
    detail: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left, and nobody is about to start it again."""
        return self.state in ("stopped", "failed")
