"""The process that checks the data: it answers in time or not at all, and ends with its input."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.as_recorded import Source
from recovery.errors import CommandFailed, SettingsInvalid, TargetUnreachable
from recovery.facts import CheckReport, CheckResult, CheckStatus, DatabaseAddress
from recovery.site import site
from tasks.data import check_data
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.usefixtures("checker")


def test_a_server_that_is_away(database: DatabaseAddress) -> None:
    with pytest.raises(TargetUnreachable):
        site().data_checks.run(replace(database, port=1), ())
    with pytest.raises(SettingsInvalid):
        site().data_checks.run(replace(database, name="nowhere"), ())


def test_the_checker_answers_in_time_or_not_at_all(database: DatabaseAddress) -> None:
    checker = site().data_checks._checker  # type: ignore[attr-defined]
    assert checker.running
    os.kill(checker.pid, signal.SIGKILL)
    with pytest.raises(CommandFailed):
        checker.ask("{}", timeout_seconds=PATIENCE)
    assert check_data(database, Source(), target=None).results  # a new one was started


def test_the_checker_ends_with_its_input(database: DatabaseAddress) -> None:
    checker = site().data_checks._checker  # type: ignore[attr-defined]
    checker._in.close()
    until(lambda: not checker.running, what="the end of the checker")


def test_not_checked_is_no_pass() -> None:
    nobody = CheckResult("x", "y", CheckStatus.NOT_CHECKED, "", "why")
    report = CheckReport("db", datetime.now(UTC), 0.0, (nobody,))
    assert not report.passed
    assert report.failures == ()
