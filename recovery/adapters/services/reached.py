"""Whether a service got where it was to be: waited for, and told with its last log lines when it did not."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recovery.adapters.process import Host
from recovery.errors import RecoveryError, TargetUnreachable, VerificationFailed
from recovery.facts import ServiceFacts
from recovery.roles import Service
from recovery.waiting import wait_until

log = logging.getLogger(__name__)

KILLED = 137  # the status of a container's program that got SIGKILL
_PAUSE_SECONDS = 0.2
_TOLD_LINES = 12


@dataclass(frozen=True)
class Patience:
    """How long a start and a stop may take, and how long one must run without a new start to be taken for running."""

    start: float
    stop: float
    steady: float = 2.0  # what crashes at once is running for a moment, too


def act(host: Host, argv: Sequence[str | Path], *, seconds: float, outlives: bool = False) -> str:
    """Have a program do something; returns what it complains of, or nothing.

    The caller looks at the service: a complaint counts only when the service is not where it should be.
    """
    try:
        ended = host.run(argv, timeout_seconds=seconds, check=False, outlives=outlives)
    except TargetUnreachable as error:  # too late: the look that follows says so by itself when nothing answers
        return error.problem
    return "" if ended.status == 0 else ended.last_lines or f"{argv[0]} ended with status {ended.status}"


def require_running(
    service: Service,
    seconds: float,
    *,
    other_than: ServiceFacts | None = None,
    steady_seconds: float = 0.0,
    complaint: str = "",
) -> None:
    """Wait until it runs: started anew when `other_than` is what ran before, and `steady_seconds` without a new start.

    Raises: VerificationFailed when it ended, or does not run at the deadline.
    """
    watch = _Watch(steady_seconds, other_than)

    def look() -> tuple[ServiceFacts, bool | None]:
        facts = service.read_facts()
        return facts, watch.judge(facts)

    # After a complaint nothing more comes.
    patience = steady_seconds + 1 if complaint else seconds
    facts, runs = wait_until(look, patience, so=lambda seen: seen[1] is not None, pause=_PAUSE_SECONDS)
    if not runs:
        raise _failure(service, facts, "does not run", complaint)


def require_stopped(service: Service, seconds: float, *, complaint: str = "", hint: str = "") -> None:
    """Wait until nothing of it is left.

    Raises: VerificationFailed when something is, at the deadline.
    """
    patience = 0.0 if complaint else seconds
    facts = wait_until(service.read_facts, patience, so=lambda seen: seen.ended, pause=_PAUSE_SECONDS)
    if not facts.ended:
        raise _failure(service, facts, "did not stop", complaint, hint)
    if facts.exit_code == KILLED:
        log.warning("%s did not end in order within its time and was killed", service.locator)


@dataclass
class _Watch:
    """What was seen of it so far. Between two crashes a service runs, too: one look proves nothing."""

    steady_seconds: float
    other_than: ServiceFacts | None
    _start: tuple[object, ...] | None = None
    _seen_at: float = field(default=0.0)

    def judge(self, facts: ServiceFacts) -> bool | None:
        """Whether it runs (True) or has ended (False); None as long as that is not clear."""
        if facts.ended:
            return False
        before = self.other_than
        start = (facts.pid, facts.since, facts.restarts)
        if facts.state != "running" or facts.healthy is False or (before and start[:2] == (before.pid, before.since)):
            self._start = None
            return None
        if start != self._start:
            self._start, self._seen_at = start, time.monotonic()
        return True if time.monotonic() - self._seen_at >= self.steady_seconds else None


def _failure(service: Service, facts: ServiceFacts, what: str, complaint: str, hint: str = "") -> VerificationFailed:
    is_so = f"{service.locator} {what}: it is {facts.state}" + (f", {facts.detail}" if facts.detail else "")
    parts = [is_so, complaint, _log(service)]
    return VerificationFailed(
        "\n".join(part for part in parts if part), hint or "correct what its log says, then run this again"
    )


def _log(service: Service) -> str:
    try:
        lines = service.read_log(lines=_TOLD_LINES)
    except RecoveryError as error:  # the failure itself must be told all the same
        return f"its log cannot be read: {error.problem}"
    return f"its last log lines:\n{lines}" if lines else "its log is empty"
