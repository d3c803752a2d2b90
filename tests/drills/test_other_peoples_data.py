"""Data as other people leave it: what was so at the source is a warning, damage is a failure, and no copy is taken away."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.errors import RecoveryError
from recovery.facts import DatabaseAddress
from tests.damage_kinds import DAMAGE
from tests.fix_drills import Drill, address_of

FAILED = 15
N = int(os.environ.get("N", "1"))
SEED = int(os.environ.get("SEED", "1"))

# What a database of somebody else holds that no rule of ours forbids.
ODD = """
CREATE SCHEMA {s};
CREATE TABLE {s}."a,b:1" (id int PRIMARY KEY);
INSERT INTO {s}."a,b:1" SELECT generate_series(1, 7);
CREATE TABLE {s}.parents (id int PRIMARY KEY);
CREATE TABLE {s}.children (id int PRIMARY KEY, parent_id int);
INSERT INTO {s}.children VALUES (1, 99);
ALTER TABLE {s}.children ADD CONSTRAINT loose FOREIGN KEY (parent_id) REFERENCES {s}.parents NOT VALID;
CREATE TABLE {s}.forever (id int PRIMARY KEY, created_at timestamptz);
INSERT INTO {s}.forever VALUES (1, 'infinity'), (2, now());
CREATE TABLE {s}.zoneless (id int PRIMARY KEY, created_at timestamp);
INSERT INTO {s}.zoneless VALUES (1, '2999-01-01');
CREATE TABLE {s}.counted (id serial PRIMARY KEY);
INSERT INTO {s}.counted VALUES (1000);
CREATE TABLE {s}.twice (v int);
INSERT INTO {s}.twice VALUES (1), (1);
CREATE TABLE {s}.strict (id int PRIMARY KEY, parent_id int REFERENCES {s}.parents);
SET session_replication_role = replica;
INSERT INTO {s}.strict VALUES (1, 99);
SET session_replication_role = origin;
CREATE TABLE {s}.years (id int PRIMARY KEY, parent_id int REFERENCES {s}.parents, CHECK (false) NO INHERIT);
CREATE TABLE {s}.year_2023 () INHERITS ({s}.years);
INSERT INTO {s}.year_2023 VALUES (1, 99), (1, 99);
"""


def make_odd(drill: Drill, schema: str) -> None:
    drill.do(*(one for one in ODD.format(s=schema).split(";\n") if one.strip()))
    with pytest.raises(RecoveryError):  # it leaves an invalid index behind
        drill.do(f"CREATE UNIQUE INDEX CONCURRENTLY twice_v ON {schema}.twice (v)")


@pytest.fixture(scope="module")
def odd(drill: Drill) -> Iterator[Drill]:
    """The site with odd things from before its newest backup, and from after it."""
    make_odd(drill, "before")
    drill.do(
        "CREATE TABLE before.emptied (id int)",
        "INSERT INTO before.emptied SELECT generate_series(1, 20)",
        "CREATE TABLE before.dropped (id int PRIMARY KEY)",
        "CREATE TABLE before.made_again (id int PRIMARY KEY)",
        "CREATE TABLE before.altered (v varchar(50))",
    )
    drill.done("backup", "run", "--type", "incr")
    make_odd(drill, "since")
    drill.do(
        "TRUNCATE before.emptied",
        "DROP TABLE before.dropped",
        "DROP TABLE before.made_again",
        "CREATE TABLE before.made_again (id bigint)",
        "ALTER TABLE before.altered ALTER v TYPE text",
    )
    yield drill
    drill.do("DROP SCHEMA before CASCADE", "DROP SCHEMA since CASCADE")


def found(report: dict[str, Any], status: str) -> dict[str, str]:
    return {one["name"]: one["found"] for one in report["checks"]["results"] if one["status"] == status}


def assert_said(report: dict[str, Any]) -> None:
    """Nothing fails, and each odd thing is a warning."""
    assert found(report, "failed") == {}
    warnings = [one for one in report["checks"]["results"] if one["status"] == "warning"]
    said = "\n".join(f"{one['name']}: {one['found']}; {one['examples']}" for one in warnings)
    assert "before.dropped is missing" in said
    assert "before.emptied has its rows: 0 rows" in said and "20 when the backup was taken" in said
    assert "since.parents is new" in said
    for schema in ("before", "since"):
        for part in (
            "children.parent_id points at",
            "counted_id_seq is ahead of",
            "twice_v",
            "forever",
            "zoneless",
            "strict.parent_id points at",
        ):
            assert f"{schema}.{part}" in said, said
        # No key is inherited: neither the parent nor the child breaks one.
        assert not [part for part in ("years.", "years:", "year_2023.", "year_2023:") if f"{schema}.{part}" in said]


def test_odd_things_are_handed_out_and_each_is_said(odd: Drill) -> None:
    report = odd.restored()
    try:
        assert_said(report)
        assert dict(report["checks"]["about"])["Role"] == "clickview_recovery_reader"  # and not the copy's superuser
        where = address_of(report)
        assert odd.sql('SELECT count(*) FROM before."a,b:1"', address=where) == 7
        assert odd.sql("SELECT created_at::text FROM since.forever WHERE id = 1", address=where) == "infinity"
        # It keeps to itself: of the source's settings only where recovery goes.
        theirs = "SELECT string_agg(name, ',') FROM pg_file_settings WHERE sourcefile ~ 'auto.conf$' AND name !~ '^re'"
        assert odd.sql(theirs, address=where) is None
        assert odd.sql("SHOW max_logical_replication_workers", address=where) == "0"
        listed = {one["name"]: one["state"] for one in odd.done("backup", "copies", "--json").json}
        assert listed[report["copy"]] == "kept"
    finally:
        odd.drop(report)


@pytest.mark.long
def test_odd_things_are_loaded_and_proven_too(odd: Drill) -> None:
    report = odd.restored("--target-database", "odd_restored")
    try:
        assert_said(report)
        loaded = odd.sandbox.admin_address(database="odd_restored")
        assert odd.sql('SELECT count(*) FROM before."a,b:1"', address=loaded) == 7
    finally:
        drop_database(odd, "odd_restored")
    newest = odd.done("backup", "latest").stdout.strip()
    proven = odd.restored("--backup-id", newest, "--validate-only")
    assert found(proven, "failed") == {}
    assert found(proven, "warning")  # here the copy is the same to the row, with what was odd then


def drop_database(drill: Drill, name: str) -> None:
    with connect(drill.sandbox.admin_address(database="postgres")) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


ORPHAN = "widgets.dashboard_id points at a row of dashboards"


def damaging(drill: Drill, kind: str) -> Drill:
    """The same site; its restored copies are damaged before anybody looks."""
    return replace(drill, program=(sys.executable, str(Path(__file__).parents[1] / "damaged_restore.py"), kind))


def copies(drill: Drill) -> dict[str, str]:
    return {one["name"]: one["state"] for one in drill.done("backup", "copies", "--json").json}


def newest_run(drill: Drill) -> Path:
    return max((drill.sandbox.state_dir / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime)


def named(drill: Drill) -> set[str]:
    """The checks that failed, from the report beside the newest journal."""
    report = json.loads((newest_run(drill) / "checks.json").read_text())
    return {one["name"] for one in report["results"] if one["status"] == "failed"}


def test_a_copy_that_fails_is_kept_marked_and_loaded_nowhere(drill: Drill) -> None:
    words = ("backup", "restore", "--target-database", "hurt_restored")
    said = damaging(drill, "orphan").refusal(*words, status=FAILED)
    ((name, state),) = copies(drill).items()
    try:
        assert said.startswith(
            f"the restored data fails 1 checks; the first: {ORPHAN}: 3 found; the copy {name} is kept"
        )
        assert f"recover backup drop-copy {name}" in said
        assert (state, named(drill)) == ("failed checks (1)", {ORPHAN})
        command = next(line for line in said.splitlines() if "psql -h " in line).split("psql ")[1].split()
        where = DatabaseAddress(command[1], int(command[3]), command[7], command[5])
        assert drill.sql("SELECT count(*) FROM widgets", address=where) > 3  # it runs, with all that there is
        assert "hurt_restored" not in SiteDatabases(drill.sandbox.admin_address()).names()
    finally:
        drill.done("backup", "drop-copy", name)
    assert copies(drill) == {}


@pytest.mark.works("backup restore --accept-failed-checks", "deployment restore accept_failed_checks")
def test_failed_checks_are_accepted_with_a_reason_that_is_kept(drill: Drill) -> None:
    reason = "the orphan of May is known"
    words = ("--target-database", "hurt_restored", "--accept-failed-checks", reason)
    try:
        report = damaging(drill, "orphan").restored(*words)
        assert (report["accepted"], report["database"]) == (reason, "hurt_restored")
        loaded = drill.sandbox.admin_address(database="hurt_restored")
        assert drill.sql("SELECT count(*) FROM widgets", address=loaded) > 3
        keys = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'widgets'::regclass AND conname ~ 'dashboard'"
        assert drill.sql(keys, address=loaded) == 0  # its rows break it: left out, and said
        assert "left out of hurt_restored: " in (newest_run(drill) / "journal.jsonl").read_text()
    finally:
        drop_database(drill, "hurt_restored")


def test_a_sites_own_rule_is_asked(drill: Drill, tmp_path: Path) -> None:
    (tmp_path / "empty.sql").write_text("-- there is no user without a name\nSELECT id FROM users WHERE false;\n")
    (tmp_path / "full.sql").write_text("-- nobody uses ClickView\nSELECT email FROM users\n")
    (tmp_path / "gone.sql").write_text("SELECT * FROM nowhere\n")
    tmp_path.chmod(0o755)
    with_rules = drill.variant("checks", rules=str(tmp_path))
    with_rules.refusal("backup", "verify", status=FAILED)
    results = json.loads((newest_run(drill) / "checks.json").read_text())["results"]
    assert {one["name"]: one["status"] for one in results if one["suite"] == "site rules"} == {
        "empty: there is no user without a name": "passed",
        "full: nobody uses ClickView": "failed",
        "gone": "not checked",
    }


@pytest.mark.campaign
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_kind_of_damage_is_named_and_its_copy_kept(drill: Drill) -> None:
    kinds = list(DAMAGE)
    random.Random(SEED).shuffle(kinds)
    for number, kind in enumerate(kinds[:N], 1):
        damaging(drill, kind).refusal("backup", "restore", status=FAILED)
        ((name, state),) = copies(drill).items()
        drill.done("backup", "drop-copy", name)
        assert state.startswith("failed checks")
        assert DAMAGE[kind][1] in named(drill), kind
        print(f"damage {number} of {N}: {kind}: named, copy kept")
