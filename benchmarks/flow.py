"""Our own flows, as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from benchmarks.arena import DATABASE
from benchmarks.measure import Content, Contestant, Restored, Stopwatch, Taken, look_into
from flows.backup import backup
from flows.restore import restore
from recovery import journal
from recovery.errors import VerificationFailed
from recovery.site import site

P = ParamSpec("P")
R = TypeVar("R")

_WORTH_TELLING = 0.1  # seconds
FLOW, FLOW_CHECKED = "flow", "flow + data checks"


def flow(say: Callable[[str], None]) -> Contestant:
    """Backup and restore as this project does them; says where their time went."""
    told = _Steps(say)
    restores = {FLOW: told.after(_restore), FLOW_CHECKED: told.after(_restore_and_check)}
    return Contestant(FLOW, told.after(_back_up), restores, _forget)


def _back_up() -> Taken:
    clock = Stopwatch()
    (taken,) = backup(kind="full", repo="1").sets
    return Taken(taken.label, clock.stop(), taken.repo_bytes)


def _restore(taken: Taken) -> Restored:
    """Until the copy stands promoted: the same end as the others'. Proofs included, data checks not."""
    line = _FinishLine()
    journal.DEFAULT_LISTENERS.append(line)
    try:
        restore(backup_id=taken.name, validate_only="restore")
    finally:
        journal.DEFAULT_LISTENERS.remove(line)
    if line.content is None:
        raise VerificationFailed("the restore ended without a promoted copy", "read the journal of the run")
    return Restored(line.seconds, line.content)


def _restore_and_check(taken: Taken) -> Restored:
    """Until the command returns: with all data checks, and the checker getting ready beside the restore."""
    clock = Stopwatch()
    report = restore(backup_id=taken.name)
    seconds = clock.stop()
    if report.address is None or report.copy is None:
        raise VerificationFailed("the restore ended without a copy", "read the journal of the run")
    try:
        return Restored(seconds, look_into(report.address))
    finally:
        site().copies.remove(site().copies.find(report.copy))


def _forget(taken: Taken) -> None:
    site().backups.expire(1, label=taken.name)


class _Steps:
    """Hears how long each step takes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._seconds: dict[str, float] = {}

    def __call__(self, entry: dict[str, Any]) -> None:
        if entry["event"] == "done":
            self._seconds[entry["step"]] = self._seconds.get(entry["step"], 0) + entry["seconds"]

    def after(self, work: Callable[P, R]) -> Callable[P, R]:
        """The same work; when it ended, its steps are told."""

        def told(*args: P.args, **kwargs: P.kwargs) -> R:
            self._seconds.clear()
            journal.DEFAULT_LISTENERS.append(self)
            try:
                return work(*args, **kwargs)
            finally:
                journal.DEFAULT_LISTENERS.remove(self)
                steps = (f"{step} {seconds:.1f}" for step, seconds in self._seconds.items() if seconds > _WORTH_TELLING)
                self._say(f"         steps: {', '.join(steps)}")

        return told


class _FinishLine:
    """Stops the clock when the copy is promoted, and counts its rows before the flow removes it."""

    def __init__(self) -> None:
        self._clock = Stopwatch()
        self.seconds = 0.0
        self.content: Content | None = None

    def __call__(self, entry: dict[str, Any]) -> None:
        if (entry["event"], entry.get("step")) != ("done", "promote_copy"):
            return
        self.seconds = self._clock.stop()
        copies = site().copies
        places = copies.find(copies.names()[-1])
        self.content = look_into(copies.server(places).address(DATABASE))
