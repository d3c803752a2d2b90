"""A site whose database is as other people have them comes back exact, and nothing is blamed that is sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect
from recovery.facts import DatabaseAddress
from sandbox import site
from sandbox.layout import load
from sandbox.strange import DATABASE, TABLES
from tests.fix_drills import Drill, address_of, paused_writer
from tests.sandbox_commands import sandbox_command
from tests.waiting import PATIENCE

FEW = 90
LONG = 10 * PATIENCE
RESTORED = """it's "odd", ünd.co 100 %\\"""
ZONELESS = "every created_at has a time zone"  # so it is in ClickView's own tables
BY_PATH = (
    "public.path_index is not damaged"  # of an index whose function amcheck cannot run, nobody says that it is whole
)
PARENT = """"sch""ema, ünd.co %"."par""ent\""""

Digests = dict[tuple[str, str], Any]


@pytest.fixture
def strange(request: pytest.FixtureRequest, sandbox_room: Path) -> Iterator[Drill]:
    """A site with a strange database, so many small tables in it, and a backup of it in each region."""
    folder = sandbox_room / f"strange-{request.param}"
    up = ("--strange", f"--strange-tables={request.param}", "--rate=5", "--first-backup")
    try:
        done = sandbox_command(folder, "up", *up)
        assert done.returncode == 0, done.stderr
        made = load(folder)
        yield Drill(made, made.settings_file)
    finally:
        site.down(folder)


@pytest.mark.long  # names and damage without a restore: tests/integration/test_strange_names.py
@pytest.mark.works("sandbox up --strange --strange-tables", "backup restore --target-database")
@pytest.mark.parametrize("strange", [FEW], indirect=True)
def test_a_strange_database_is_loaded_exact_and_what_is_damaged_is_named(strange: Drill) -> None:
    moment, before = what_was(strange)
    with somebody_at_work(strange):
        ruin(strange)
        assert_proven(
            strange.restored("--target-time", f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}", "--target-database", RESTORED)
        )
    loaded = strange.sandbox.admin_address(database=RESTORED)
    assert digests(loaded) == before
    said = strange.refusal("backup", "verify", status=15)
    assert f'odd."ch\'ild"."x""y"+"x y" points at a row of {PARENT}' in said
    assert strange.sql("SELECT count(*) FROM pg_database WHERE datname = %s", DATABASE) == 1


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("strange", [TABLES], indirect=True)
def test_all_there_is_to_a_backup_of_three_thousand_tables(strange: Drill) -> None:
    made = strange.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'many, of them'")
    assert made == TABLES
    with somebody_at_work(strange):
        strange.done("site", "prepare", "--apply")
        strange.done("backup", "run", "--type", "incr")
        strange.done("backup", "verify")
        moment, before = what_was(strange)
        ruin(strange)
        when = ("--target-time", f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}")
        kept = strange.restored(*when)
        assert_proven(kept)
        assert digests(address_of(kept)) == before
        assert strange.compared(kept, moment).exact
        strange.drop(kept)
        assert_proven(strange.restored(*when, "--target-database", RESTORED))
        assert digests(strange.sandbox.admin_address(database=RESTORED)) == before
        assert strange.done("backup", "test", "--json", seconds=LONG).json
        strange.done("backup", "check", seconds=LONG)  # the sandbox's S3 gives some hundred files a second


def assert_proven(report: dict[str, Any]) -> None:
    """No check failed, and no warning was given that is not true."""
    found = {(one["name"], one["status"]) for one in report["checks"]["results"] if one["status"] != "passed"}
    assert {name for name, status in found if status == "failed"} == set()
    assert {name for name, status in found if status == "warning"} == {ZONELESS}
    assert {name for name, status in found if status == "not checked"} == {BY_PATH}


@contextmanager
def somebody_at_work(drill: Drill) -> Iterator[None]:
    """A session with temporary tables, as applications have them."""
    with connect(drill.sandbox.address()) as connection:
        connection.execute("""CREATE TEMP TABLE "te,mp" (id serial PRIMARY KEY, v text UNIQUE)""")
        connection.execute("""INSERT INTO "te,mp" (v) VALUES ('mine'), (NULL)""")
        yield


def what_was(drill: Drill) -> tuple[datetime, Digests]:
    """The moment at which all stands still, and what the database holds then."""
    paused_writer(drill.sandbox)
    try:
        drill.do("""INSERT INTO odd."a,b" ("a,b") VALUES ('the last row before the moment')""")
        moment = drill.sql("SELECT clock_timestamp() + interval '1 ms'")
        return moment, digests(drill.sandbox.admin_address())
    finally:
        site.start_service(drill.sandbox, "writer")


def ruin(drill: Drill) -> None:
    """What must not be in a copy of the moment before."""
    drill.do(
        """INSERT INTO odd."a,b" ("a,b") VALUES ('after the moment')""",
        """SET session_replication_role = replica""",
        f"""DELETE FROM {PARENT} WHERE "a,1" = 3""",
        """UPDATE val.large SET document = NULL""",
        """DROP TABLE odd."100 %" """,
    )


def digests(address: DatabaseAddress) -> Digests:
    """What every table and large object holds, as one number each; what is not logged comes back empty."""
    with connect(address, read_only=True, statement_seconds=PATIENCE) as connection:
        connection.execute("SET timezone = 'UTC'")
        relations = connection.execute(
            """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.relispopulated
                 AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'clickview_recovery')"""
        ).fetchall()
        found: Digests = {(schema, name): _digest(connection, schema, name) for schema, name in relations}
        objects = "SELECT array_agg(md5(lo_get(oid)) ORDER BY md5(lo_get(oid))) FROM pg_largeobject_metadata"
        return {**found, ("", "large objects"): connection.execute(objects).fetchone()}


def _digest(connection: Connection, schema: str, name: str) -> psycopg.rows.TupleRow | None:
    query = sql.SQL("SELECT count(*), sum(hashtextextended({0}::text, 0)::numeric) FROM ONLY {1} AS {0}")
    return connection.execute(query.format(sql.Identifier("the row"), sql.Identifier(schema, name))).fetchone()
