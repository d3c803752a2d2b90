"""Very many small tables, checked: what each of them costs decides, not what is in it."""

from __future__ import annotations

from dataclasses import replace
from typing import LiteralString

from benchmarks.arena import Arena
from benchmarks.measure import COUNT_SECONDS, Stopwatch
from benchmarks.results import CHECKED_TABLES, Row
from benchmarks.scratch import scratch
from checks.as_recorded import Source
from recovery.adapters.postgres.connection import connect, one_row
from recovery.errors import VerificationFailed
from recovery.facts import CheckReport, DatabaseAddress
from recovery.site import site
from tasks.data import check_data, start_checker, stop_checker

_DATABASE = "small_tables"
_TABLES, _AT_ONCE = 3000, 250  # in one transaction: each table takes locks
_PARENT: LiteralString = (
    "CREATE TABLE parent (id bigint PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 100)"
)
_MAKE: LiteralString = """
DO $$ BEGIN FOR i IN {first}..{last} LOOP
    EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, name text NOT NULL, parent_id bigint NOT NULL'
        ' REFERENCES parent (id), created_at timestamptz NOT NULL DEFAULT now());'
        ' INSERT INTO t%s SELECT g, ''n'', g FROM generate_series(1, 20) g', i, i);
END LOOP; END $$
"""


def check_small_tables(arena: Arena) -> Row:
    """All data checks and pg_amcheck on 3,000 tables, with a checker that is ready, as it is after a restore.

    On a server that lets everybody in, as a restored copy does.
    """
    with scratch(arena, "small-tables") as server:
        server.create()
        address = server.address(_DATABASE)
        _make(address)
        try:
            start_checker()
            site().data_checks.run(address, ())
            clock = Stopwatch()
            report = check_data(address, Source(), target=None)
            seconds = clock.stop()
        finally:
            stop_checker()
        _require_all(report)
        with connect(address) as connection:
            size = one_row(connection, "SELECT pg_database_size(current_database())")[0]
        return Row("check", CHECKED_TABLES, seconds, int(size))


def _make(address: DatabaseAddress) -> None:
    with connect(replace(address, name="postgres")) as connection:
        connection.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE template0")
    with connect(address, statement_seconds=COUNT_SECONDS) as connection:
        connection.execute(_PARENT)
        for first in range(1, _TABLES + 1, _AT_ONCE):
            connection.execute(_MAKE.format(first=str(first), last=str(first + _AT_ONCE - 1)))


def _require_all(report: CheckReport) -> None:
    """Four things of each table: its key, its conditions, its parents, its moments."""
    passed = sum(result.passed for result in report.results)
    broken = [result.name for result in report.failures if result.suite != "tables"]  # it is no ClickView
    if broken or passed < 4 * _TABLES:
        raise VerificationFailed(
            f"of {_TABLES} small tables {passed} checks passed, {len(broken)} failed: {broken[:3]}",
            "this run measured nothing; find out why before measuring again",
        )
