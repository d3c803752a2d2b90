"""Great Expectations judges what was counted: it fails each kind, names which, and is never taken for a pass."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from checks.expectation import agreed, no_rows, not_checked, rows_meet
from recovery.adapters.expectations.checker import GreatExpectations
from recovery.adapters.expectations.messages import Count, read_answer, request_line
from recovery.adapters.expectations.verdict import count_of
from recovery.adapters.postgres.seen import Seen
from recovery.adapters.process import Companion
from recovery.catalog import TableName
from recovery.errors import CommandFailed
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import CheckResult, CheckStatus
from recovery.settings import Settings
from tests.fix_postgres import Cluster
from tests.waiting import PATIENCE

ROLES = TableName("pg_catalog", "pg_authid")
COUNT = Expectation("rows", "roles", "some", ExpectationKind.ROW_COUNT, ROLES, minimum=1, maximum=10_000)
UNIQUE = Expectation("keys", "key", "none", ExpectationKind.UNIQUE, ROLES, ("rolname",))
MEET = rows_meet("rules", "rule", "none", ROLES, "c.rolsuper IS NULL", shown=["c.rolname"])
EMPTY = no_rows("queries", "query", "none", "SELECT 1 WHERE false")
SAME = agreed("catalogs", "same", "none", [])
SUITE = (COUNT, UNIQUE, MEET, EMPTY, SAME)


@pytest.fixture(scope="module")
def judge() -> Iterator[Companion]:
    """A checker process."""
    made = Companion([sys.executable, "-m", "recovery.adapters.expectations.worker"])
    yield made
    made.stop()


def failing(judge: Companion, *counts: Count) -> frozenset[int]:
    return read_answer(judge.ask(request_line(counts), timeout_seconds=PATIENCE))


@pytest.mark.parametrize(
    ("one", "rows", "met"),
    [
        (replace(COUNT, minimum=3, maximum=5), 2, False),
        (replace(COUNT, minimum=3, maximum=5), 3, True),
        (replace(COUNT, minimum=3, maximum=5), 5, True),
        (replace(COUNT, minimum=3, maximum=5), 6, False),
        (replace(COUNT, minimum=3, maximum=None), 10**15, True),
        (replace(COUNT, minimum=3, maximum=None), 0, False),
        (replace(COUNT, minimum=None, maximum=0), 1, False),
        (replace(COUNT, minimum=None, maximum=None), 0, True),
        *((one, 1, False) for one in SUITE[1:]),
        *((one, 0, True) for one in SUITE[1:]),
    ],
)
def test_each_kind_fails_and_passes(judge: Companion, one: Expectation, rows: int, met: bool) -> None:
    assert (7 not in failing(judge, count_of(7, one, Seen(rows)))) is met


def test_those_that_fail_are_named_among_thousands(judge: Companion) -> None:
    broken = {0, 41, 9_998, 9_999}
    counts = [Count(number, number in broken, 0, 0) for number in range(10_000)]
    assert failing(judge, *counts) == broken
    assert failing(judge, *[replace(one, observed=0) for one in counts]) == frozenset()
    assert failing(judge) == frozenset()


def test_a_count_that_is_none_is_no_pass() -> None:
    own = Companion([sys.executable, "-m", "recovery.adapters.expectations.worker"])
    with pytest.raises(CommandFailed):
        failing(own, Count(1, None, 0, 0))  # type: ignore[arg-type]
    own.stop()


def settings(**checks: int) -> Settings:
    backup = {"encryption_key": "key-of-the-tests", "primary": {"bucket": "tests"}}
    return Settings.model_validate({"backup": backup, "checks": checks})


@pytest.fixture
def checks(judge: Companion) -> GreatExpectations:
    """The data checks of a site, with the checker that is ready."""
    made = GreatExpectations(settings())
    made._checker = judge
    return made


def statuses(results: tuple[CheckResult, ...]) -> list[CheckStatus]:
    return [result.status for result in results]


def test_what_was_seen_becomes_results_in_the_order_of_the_suite(cluster: Cluster, checks: GreatExpectations) -> None:
    broken = replace(MEET, breaks="c.rolsuper", known="it was so before")
    gone = replace(COUNT, table=TableName("public", "gone"))
    said = not_checked("x", "y", "nobody looks")
    results = checks.run(cluster.admin, (*SUITE, broken, gone, said, replace(COUNT, maximum=0))).results
    passed, warned, open_, bad = (
        CheckStatus.PASSED,
        CheckStatus.WARNING,
        CheckStatus.NOT_CHECKED,
        CheckStatus.FAILED,
    )
    assert statuses(results) == [passed] * 5 + [warned, open_, open_, bad]
    assert (results[5].found, results[5].examples) == ("1 found; it was so before", ("rolname = postgres",))
    assert [results[6].found, results[7].found] == ['relation "public.gone" does not exist', "nobody looks"]


def test_the_files_of_a_copy_are_looked_at_beside_it(cluster: Cluster, checks: GreatExpectations) -> None:
    damage = CheckResult("x", "physical", CheckStatus.FAILED, "", "1 sign of damage")
    results = checks.run(cluster.admin, (UNIQUE,), files=lambda: (damage,)).results
    assert statuses(results) == [CheckStatus.FAILED, CheckStatus.PASSED]


def test_a_checker_that_does_not_answer_checks_nothing(cluster: Cluster) -> None:
    checks = GreatExpectations(settings(timeout_seconds=5))
    checks.warm_up()
    assert checks._checker is not None
    os.kill(checks._checker.pid, signal.SIGSTOP)
    try:
        judged, said = checks.run(cluster.admin, (COUNT, not_checked("x", "y", "nobody looks"))).results
    finally:
        checks.close()
    assert judged.status is CheckStatus.NOT_CHECKED
    assert judged.found.startswith("nobody judged what was seen: ")
    assert judged.found.endswith("had no answer after 5 s and was stopped")
    assert said.found == "nobody looks"


def test_a_checker_that_dies_checks_nothing(cluster: Cluster, checks: GreatExpectations) -> None:
    def die() -> tuple[CheckResult, ...]:
        checks._checker = Companion([sys.executable, "-c", "input(); raise SystemExit(3)"])
        return ()

    (judged,) = checks.run(cluster.admin, (COUNT,), files=die).results
    assert judged.status is CheckStatus.NOT_CHECKED
    assert judged.found.startswith("nobody judged what was seen: ")
