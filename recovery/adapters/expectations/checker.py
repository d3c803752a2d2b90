"""Great Expectations as the site uses it: in a process that gets ready while something else is restored."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from recovery.adapters.expectations.messages import read_answer, request_line
from recovery.adapters.expectations.priority import stand_back, step_forward
from recovery.adapters.expectations.verdict import count_of, nobody_looks, not_looked, verdict
from recovery.adapters.postgres.amcheck import proves_indexes
from recovery.adapters.postgres.observing import observe
from recovery.adapters.postgres.seen import Seen
from recovery.adapters.process import Companion
from recovery.errors import RecoveryError
from recovery.expectation import Expectation
from recovery.facts import CheckReport, CheckResult, DatabaseAddress
from recovery.settings import Settings

_WORKER = "recovery.adapters.expectations.worker"

Files = Callable[[], tuple[CheckResult, ...]]


class GreatExpectations:
    """Looks at databases and lets a checker process judge. Importing the library costs seconds: warm_up() early."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.checks.timeout_seconds
        self._checker: Companion | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the checker process, unless it runs; returns at once."""
        self._ready()

    def run(
        self,
        address: DatabaseAddress,
        suite: tuple[Expectation, ...],
        *,
        files: Files | None = None,
        seconds: float | None = None,
    ) -> CheckReport:
        """Look at every expectation of a suite.

        `files` is for a copy of ours: it looks at the files beside this, its results come first, and indexes that
        it proved are read where that is faster. Without it only one connection is made. `seconds`: another deadline
        than the settings' one.
        Raises: TargetUnreachable (no server), SettingsInvalid (role, password).
        """
        begin, started_at = time.monotonic(), datetime.now(UTC)
        self._at_work()  # what is left of its start goes on beside the looking
        with ThreadPoolExecutor(max_workers=1) as pool:
            looked = pool.submit(files or tuple)
            proven = (lambda: proves_indexes(looked.result())) if files else None
            connections = 2 if files else 1
            seen = observe(address, suite, seconds=seconds or self._seconds, connections=connections, proven=proven)
            judged = self._judged(suite, seen)
            results = (*looked.result(), *judged)
        return CheckReport(address.name, started_at, round(time.monotonic() - begin, 3), results)

    def close(self) -> None:
        """End the checker process."""
        with self._lock:
            if self._checker is not None:
                self._checker.stop()
                self._checker = None

    def _judged(self, suite: tuple[Expectation, ...], seen: dict[int, Seen]) -> list[CheckResult]:
        counted = [(number, suite[number], one) for number, one in seen.items() if not one.problem]
        question = request_line(count_of(*one) for one in counted)
        try:
            failing = read_answer(self._at_work().ask(question, timeout_seconds=self._seconds))
        except RecoveryError as error:
            return [_unjudged(one, seen.get(number), error.problem) for number, one in enumerate(suite)]
        return [_judged(number, one, seen.get(number), failing) for number, one in enumerate(suite)]

    def _at_work(self) -> Companion:
        checker = self._ready()
        step_forward(checker.pid)
        return checker

    def _ready(self) -> Companion:
        with self._lock:
            if self._checker is None or not self._checker.running:
                self._checker = Companion([sys.executable, "-m", _WORKER])
                stand_back(self._checker.pid)
            return self._checker


def _judged(number: int, one: Expectation, seen: Seen | None, failing: frozenset[int]) -> CheckResult:
    return nobody_looks(one) if seen is None else verdict(one, seen, met=number not in failing)


def _unjudged(one: Expectation, seen: Seen | None, why: str) -> CheckResult:
    if seen is None or seen.problem:  # that needs no judge
        return _judged(0, one, seen, frozenset())
    return not_looked(one, f"nobody judged what was seen: {why}")
