"""--target-database: the database comes onto the site's server as it was, whoever may enter it, and what is missing is said."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.errors import RecoveryError
from recovery.facts import DatabaseAddress
from tests.fix_drills import Drill, text

RESTORED = "clickview_as_it_was"
REFUSED = 14
MADE = (
    "CREATE ROLE leaving",
    "CREATE SCHEMA part",
    "CREATE TABLE part.factors (factor int)",
    "INSERT INTO part.factors VALUES (3)",
    "CREATE FUNCTION part.rate(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
    " 'BEGIN RETURN (SELECT factor * $1 FROM factors LIMIT 1); END'",
    "SET search_path = part",
    "CREATE TABLE part.orders (id int PRIMARY KEY, CHECK (part.rate(id) > 0))",
    "INSERT INTO part.orders VALUES (1), (2)",
    "CREATE MATERIALIZED VIEW part.totals AS SELECT sum(part.rate(id)) AS total FROM part.orders",
    "ALTER TABLE part.factors OWNER TO leaving",
    "GRANT SELECT ON part.orders TO leaving, clickview",
    "ALTER DATABASE clickview SET search_path = public, part",
    "ALTER ROLE clickview IN DATABASE clickview SET work_mem = '5MB'",
    "COMMENT ON DATABASE clickview IS 'it''s ours'",
    "CREATE ROLE outsider LOGIN PASSWORD 'of-the-tests'",
    "REVOKE CONNECT ON DATABASE clickview FROM PUBLIC",
    "GRANT CONNECT ON DATABASE clickview TO clickview, clickview_recovery_reader, clickview_recovery_backup",
)
UNDONE = (
    "DROP SCHEMA IF EXISTS part CASCADE",
    "DROP ROLE IF EXISTS leaving",
    "ALTER DATABASE clickview RESET search_path",
    "ALTER ROLE clickview IN DATABASE clickview RESET ALL",
    "COMMENT ON DATABASE clickview IS NULL",
    "GRANT CONNECT ON DATABASE clickview TO PUBLIC",
)


@pytest.fixture
def moment(drill: Drill) -> Iterator[datetime]:
    """When the database was somebody's with habits; since then it is in order, and a role of it has left."""
    drill.do(*MADE)
    made = datetime.now(UTC)
    drill.commit_seen_after(made)
    drill.do(*UNDONE, "ALTER ROLE postgres SET default_transaction_read_only = on")
    yield made
    drill.do("ALTER ROLE postgres RESET ALL")
    SiteDatabases(drill.sandbox.admin_address(database="postgres")).drop(RESTORED)
    drill.do("DROP ROLE outsider")


def test_a_database_is_loaded_as_it_was_and_what_is_missing_is_said(drill: Drill, moment: datetime) -> None:
    done = drill.done("backup", "restore", "--target-time", text(moment), "--target-database", RESTORED)
    where = drill.sandbox.admin_address(database=RESTORED)
    assert (
        "Left out of clickview_as_it_was (all rows are there):\n  role leaving: is not on this server: " in done.stdout
    )
    assert 'CREATE ROLE "leaving"' in done.stdout
    assert done.stdout.count("is not on this server") == 1
    with connect(where) as connection:
        told = connection.execute(
            """SELECT (SELECT total FROM part.totals), (SELECT count(*) FROM part.orders),
                      has_table_privilege('clickview', 'part.orders', 'SELECT'),
                      (SELECT tableowner::text FROM pg_tables WHERE schemaname = 'part' AND tablename = 'factors'),
                      (SELECT array_agg(x ORDER BY x) FROM pg_db_role_setting s, unnest(setconfig) x
                       WHERE setdatabase = d.oid),
                      shobj_description(d.oid, 'pg_database'), pg_get_userbyid(datdba)::text,
                      has_database_privilege('clickview', d.oid, 'CONNECT')
               FROM pg_database d WHERE datname = current_database()"""
        ).fetchone()
    settings = ["search_path=public, part", "work_mem=5MB"]
    assert told == (9, 2, True, "postgres", settings, "it's ours", "clickview", True)
    with pytest.raises(RecoveryError, match="may not connect to this database"), connect(outsider(drill)):
        pytest.fail("the restored data is open to every role")


def outsider(drill: Drill) -> DatabaseAddress:
    admin = drill.sandbox.admin_address(database=RESTORED)
    return replace(admin, user="outsider", password="of-the-tests")


def test_a_disk_that_takes_the_copy_but_not_the_database_is_seen_in_the_plan(drill: Drill) -> None:
    """Both lie on one disk here."""
    newest = drill.sets()[0]
    label, size = newest["label"], newest["database_bytes"]
    segments = 1 + int(newest["wal_stop"], 16) - int(newest["wal_start"], 16)  # no set here is longer than a log file
    copy = size + 16 * 1024**2 * segments + 64 * 1024**2
    disk = os.statvfs(drill.sandbox.state_dir)
    tight = drill.variant("restore", space_factor=disk.f_bavail * disk.f_frsize / (copy + size / 2))
    options = ("--backup-id", label, "--target-database", RESTORED)
    said = tight.refusal("backup", "restore", *options, status=REFUSED)
    assert said.startswith("the copy and the database loaded from it need ")
    assert said.endswith(
        " GB are free\nNEXT: free disk space there; without --target-database you get a copy of its own"
    )
    assert drill.leftovers() == []
