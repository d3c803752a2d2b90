"""The application's database is dropped: the server answers all the same, backups go on, and the data comes back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.facts import DatabaseAddress
from sandbox import notes, site
from tests.fix_drills import Drill, paused_writer, text

MISSING = "there is no database clickview on the server; it has postgres"


def server_of(drill: Drill) -> DatabaseAddress:
    return drill.sandbox.admin_address(database="postgres")


@pytest.mark.long
def test_a_dropped_database_comes_back_under_its_own_name(new_drill: Callable[..., Drill]) -> None:
    """Everything said "the server does not answer", and the backup failed."""
    drill = new_drill()
    moment = datetime.now(UTC)
    drill.commit_seen_after(moment)
    moment = datetime.now(UTC)
    drill.commit_seen_after(moment)
    paused_writer(drill.sandbox)
    with connect(server_of(drill)) as connection:
        connection.execute("DROP DATABASE clickview WITH (FORCE)")

    taken = drill.done("backup", "run")
    assert f"! {MISSING}; what the server holds is backed up all the same" in taken.stderr
    assert drill.refusal("backup", "check", "--quick", status=15) == (
        f"1 thing is wrong with the backups:\n- {MISSING}\n"
        "NEXT: mend the cause, then take a full backup (recover backup run --type full) and run this again"
    )
    assert drill.refusal("backup", "verify", status=11).startswith("there is no database clickview on 127.0.0.1:")

    assert drill.refusal("site", "prepare", "--apply", status=14).startswith(f"{MISSING}\nNEXT: correct recovery.toml")

    tested = drill.refusal("backup", "test", "--repo=1", "--moment=newest", status=15)
    assert tested.startswith("1 of 1 repositories did not restore: repository 1 (clickview-backups): ")
    assert "the database is there: there is no database clickview; there is postgres; " in tested
    assert f"; {MISSING}\nNEXT: this is an incident: bring the database back" in tested

    accepted = ("--target-database=clickview", "--accept-failed-checks=wanted all the same")
    newest = drill.run("backup", "restore", "--json", *accepted)
    assert newest.status == 15
    assert newest.said.startswith("there is no database clickview on ")
    (kept,) = drill.done("backup", "copies", "--json").json
    assert kept["state"] == "failed checks (1), accepted: wanted all the same"
    drill.done("backup", "drop-copy", kept["name"])

    report = drill.restored(f"--target-time={text(moment)}", "--target-database=clickview")
    assert report["database"] == "clickview"
    assert report["checks"]["results"]
    compared = notes.compare(drill.sandbox.admin_address(), drill.notes(), moment)
    assert compared.exact
    assert compared.expected > 0
    site.wait_until_healthy(drill.sandbox)
    assert MISSING not in drill.done("backup", "run").stderr


@pytest.mark.long
def test_a_server_without_the_database_postgres_is_protected_too(new_drill: Callable[..., Drill]) -> None:
    drill = new_drill(first_backup=False)
    with connect(drill.sandbox.admin_address(database="template1")) as connection:
        connection.execute("DROP DATABASE postgres WITH (FORCE)")
    assert "would: write the configuration of the backup engine" in drill.done("site", "prepare").stderr
    drill.done("site", "prepare", "--apply")
    assert "nothing to change" in drill.done("site", "prepare").stdout
    drill.done("backup", "run", "--type=full")
    drill.done("backup", "check", "--quick")
    report = drill.restored("--target-database=clickview_restored")
    assert report["checks"]["results"]
    assert drill.sql("SELECT count(*) FROM pg_database WHERE datname = 'clickview_restored'") == 1
