"""Great Expectations as the site uses it: in a process that gets ready while something else is restored."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime

from recovery.adapters.expectations.messages import Request, read_answer
from recovery.adapters.postgres.connection import connect
from recovery.adapters.process import Companion
from recovery.expectation import Expectation
from recovery.facts import CheckReport, DatabaseAddress
from recovery.settings import Settings

_WORKER = "recovery.adapters.expectations.worker"


class GreatExpectations:
    """Runs suites in a checker process. Importing the library costs seconds: warm_up() early."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.checks.timeout_seconds
        self._checker: Companion | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the checker process, unless it runs; returns at once."""
        self._ready()

    def run(self, address: DatabaseAddress, suite: tuple[Expectation, ...]) -> CheckReport:
        """Look at every expectation of a suite.

        Raises: TargetUnreachable (no server), SettingsInvalid (role, password), Interrupted (not done at the
        deadline), CommandFailed (the checker process ended).
        """
        begin, started_at = time.monotonic(), datetime.now(UTC)
        with connect(address, read_only=True):
            pass  # a server that is away is an error, not a list of failed expectations
        request = Request(address, self._seconds, suite)
        results = read_answer(self._ready().ask(request.line(), timeout_seconds=self._seconds))
        return CheckReport(address.name, started_at, round(time.monotonic() - begin, 3), results)

    def close(self) -> None:
        """End the checker process."""
        with self._lock:
            if self._checker is not None:
                self._checker.stop()
                self._checker = None

    def _ready(self) -> Companion:
        with self._lock:
            if self._checker is None or not self._checker.running:
                self._checker = Companion([sys.executable, "-m", _WORKER])
            return self._checker
