"""Data as other people leave it: what was so at the source is a warning, damage is a failure, and no copy is taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.errors import RecoveryError
from recovery.facts import DatabaseAddress
from tests.fix_drills import Drill, address_of

FAILED = 15

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
    )
    drill.done("backup", "run", "--type", "incr")
    make_odd(drill, "since")
    drill.do("TRUNCATE before.emptied", "DROP TABLE before.dropped")
    yield drill
    drill.do("DROP SCHEMA before CASCADE", "DROP SCHEMA since CASCADE")
    drill.done("backup", "run", "--type", "incr")


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
        for part in ("children.parent_id points at", "counted_id_seq is ahead of", "twice_v", "forever", "zoneless"):
            assert f"{schema}.{part}" in said, said


def test_odd_things_are_handed_out_and_each_is_said(odd: Drill) -> None:
    report = odd.restored()
    try:
        assert_said(report)
        where = address_of(report)
        assert odd.sql('SELECT count(*) FROM before."a,b:1"', address=where) == 7
        assert odd.sql("SELECT created_at::text FROM since.forever WHERE id = 1", address=where) == "infinity"
        listed = {one["name"]: one["state"] for one in odd.done("backup", "copies", "--json").json}
        assert listed[report["copy"]] == "kept"
    finally:
        odd.drop(report)


def test_odd_things_are_loaded_and_proven_too(odd: Drill) -> None:
    report = odd.restored("--target-database", "odd_restored")
    try:
        assert_said(report)
        loaded = odd.sandbox.admin_address(database="odd_restored")
        assert odd.sql('SELECT count(*) FROM before."a,b:1"', address=loaded) == 7
    finally:
        with connect(odd.sandbox.admin_address(database="postgres")) as connection:
            connection.execute("DROP DATABASE IF EXISTS odd_restored WITH (FORCE)")
    newest = odd.done("backup", "latest").stdout.strip()
    for level in ("files", "restore", "data"):
        odd.done("backup", "restore", "--backup-id", newest, "--validate-only", "--level", level)
    odd.done("backup", "test", "--moment", "newest", "--repo", "1")


@pytest.fixture(scope="module")
def hurt(new_drill_for_module: Drill) -> Drill:
    """A site whose newest moment holds orphans under a validated key: nothing explains them."""
    new_drill_for_module.do(
        "CREATE SCHEMA hurt",
        "CREATE TABLE hurt.parents (id int PRIMARY KEY)",
        "INSERT INTO hurt.parents VALUES (1), (2)",
        "CREATE TABLE hurt.children (id int PRIMARY KEY, parent_id int REFERENCES hurt.parents)",
        "INSERT INTO hurt.children VALUES (1, 1), (2, 2)",
    )
    with connect(new_drill_for_module.sandbox.admin_address()) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM hurt.parents WHERE id = 2")
    return new_drill_for_module


ORPHAN = "hurt.children.parent_id points at a row of hurt.parents: 1 found"


def copies(drill: Drill) -> dict[str, str]:
    return {one["name"]: one["state"] for one in drill.done("backup", "copies", "--json").json}


def test_a_copy_that_fails_is_kept_marked_and_loaded_nowhere(hurt: Drill) -> None:
    said = hurt.refusal("backup", "restore", "--target-database", "hurt_restored", status=FAILED)
    assert said.startswith(f"the restored data fails 1 checks; the first: {ORPHAN}; the copy copy-")
    ((name, state),) = copies(hurt).items()
    assert state == "failed checks (1)"
    assert f"recover backup drop-copy {name}" in said
    command = next(line for line in said.splitlines() if "psql -h " in line).split("psql ")[1].split()
    where = DatabaseAddress(command[1], int(command[3]), command[7], command[5])
    assert (
        hurt.sql("SELECT count(*) FROM hurt.children", address=where) == 2
    )  # it runs, with all that could be recovered
    assert hurt.sql("SELECT count(*) FROM pg_database WHERE datname ~ '^hurt'") == 0
    assert ORPHAN.partition(":")[0] in newest_report(hurt)
    hurt.done("backup", "drop-copy", name)
    assert copies(hurt) == {}


def newest_journal(drill: Drill) -> str:
    """All that the newest run wrote down."""
    newest = max((drill.sandbox.state_dir / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime)
    return (newest / "journal.jsonl").read_text()


def newest_report(drill: Drill) -> str:
    """The names of the checks that failed, from the report beside the newest journal."""
    runs = sorted((drill.sandbox.state_dir / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime)
    file: Path = next(folder / "checks.json" for folder in reversed(runs) if (folder / "checks.json").exists())
    return "\n".join(one["name"] for one in json.loads(file.read_text())["results"] if one["status"] == "failed")


def test_failed_checks_are_accepted_with_a_reason_that_is_kept(hurt: Drill) -> None:
    report = hurt.restored("--target-database", "hurt_restored", "--accept-failed-checks", "the orphan of May is known")
    try:
        assert (report["accepted"], report["database"]) == ("the orphan of May is known", "hurt_restored")
        assert (
            hurt.sql("SELECT count(*) FROM hurt.children", address=hurt.sandbox.admin_address(database="hurt_restored"))
            == 2
        )
    finally:
        hurt.do("DROP DATABASE IF EXISTS hurt_restored WITH (FORCE)")
    kept = hurt.restored("--accept-failed-checks", "the orphan of May is known")
    assert copies(hurt) == {kept["copy"]: "failed checks (1), accepted: the orphan of May is known"}
    hurt.drop(kept)


def test_a_copy_that_fails_is_dropped_when_that_was_wanted(hurt: Drill) -> None:
    said = hurt.refusal("backup", "restore", "--drop-failed", status=FAILED)
    assert f"{ORPHAN}; nothing was kept" in said
    said = hurt.refusal("backup", "test", "--moment", "newest", "--repo", "1", status=FAILED)
    assert ORPHAN in said
    assert copies(hurt) == {}
    assert ORPHAN.partition(":")[0] in newest_report(hurt)
    assert hurt.leftovers() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--accept-failed-checks", " "), "--accept-failed-checks has no reason; it is written down with the copy"),
        (
            ("--accept-failed-checks", "x", "--drop-failed"),
            "a copy that fails its checks cannot be accepted and dropped",
        ),
        (("--drop-failed", "--validate-only"), "--validate-only keeps no copy, whatever its checks find"),
    ],
)
def test_what_makes_no_sense_is_refused(drill: Drill, options: tuple[str, ...], said: str) -> None:
    assert drill.refusal("backup", "restore", *options, status=14).startswith(said)
