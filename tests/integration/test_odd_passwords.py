"""Checkers reach the server with the password they are given, however odd, in a shell that has another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checks.expectation import no_rows
from recovery.adapters.expectations.checker import GreatExpectations
from recovery.adapters.postgres.amcheck import check_copy
from recovery.adapters.postgres.connection import connect
from recovery.facts import CheckStatus, DatabaseAddress
from recovery.settings import Settings
from tests.fix_postgres import BIN, Cluster
from tests.hostile import SHELL, leave_files_in_home
from tests.waiting import PATIENCE, until

ODD = "  a b\"c'd\\e$f`g:h*i%j{k}é  "


@pytest.fixture
def odd(
    cluster: Cluster, database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[DatabaseAddress]:
    """The database as a superuser whose password is asked for sees it."""
    leave_files_in_home(tmp_path)
    for name, value in (SHELL | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    hba = cluster.data_dir / "pg_hba.conf"
    trusting = hba.read_text()
    with connect(cluster.admin) as connection:
        connection.execute("DROP ROLE IF EXISTS odd")
        quoted = ODD.replace("'", "''")
        connection.execute(f"CREATE ROLE odd LOGIN SUPERUSER PASSWORD '{quoted}'".encode())
        hba.write_text(f"local all odd scram-sha-256\n{trusting}")
        connection.execute("SELECT pg_reload_conf()")
        rules = "SELECT count(*) FROM pg_hba_file_rules WHERE 'odd' = ANY(user_name) AND auth_method = 'scram-sha-256'"
        until(lambda: (connection.execute(rules).fetchone() or (0,))[0], what="the rule")
        yield replace(database, user="odd", password=ODD)
        hba.write_text(trusting)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("DROP ROLE odd")


def test_amcheck(cluster: Cluster, odd: DatabaseAddress) -> None:
    [result] = check_copy(cluster.host, BIN / "pg_amcheck", odd, jobs=2, seconds=PATIENCE)
    assert result.status is CheckStatus.PASSED


def test_great_expectations(odd: DatabaseAddress) -> None:
    settings = Settings.model_validate({"backup": {"encryption_key": "k", "primary": {"bucket": "abc"}}})
    checks = GreatExpectations(settings)
    try:
        says = "SELECT current_setting('search_path') AS path WHERE current_setting('TimeZone') <> 'UTC'"
        report = checks.run(odd, (no_rows("x", "zone", "none", says),))
    finally:
        checks.close()
    assert [one.status for one in report.results] == [CheckStatus.PASSED], report.results
