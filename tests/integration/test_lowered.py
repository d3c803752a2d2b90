"""What an intruder left in a database runs when a copy of it is looked at: never as a superuser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checks.as_recorded import Source
from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.lowered import GUEST, as_reader
from recovery.adapters.postgres.server import PostgresServer
from recovery.facts import CheckReport, CheckStatus, DatabaseAddress
from recovery.journal import open_journal, writing_to
from tasks.data import check_data
from tests.fix_data import damage, failures
from tests.fix_postgres import READER, Cluster

pytestmark = pytest.mark.usefixtures("checker")

# It waits for a superuser who only reads: so a restored copy is looked at.
_SPRING = """CREATE FUNCTION spring() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('is_superuser')::boolean AND current_setting('transaction_read_only')::boolean THEN
        COPY (SELECT 1) TO PROGRAM 'touch {sprung}';
    END IF;
    RETURN true;
END $$"""
_TRAP = (
    "CREATE FUNCTION trap(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.spring(); END $$"
)


@pytest.fixture
def sprung(cluster: Cluster) -> Iterator[Path]:
    """A file that is there when the trap was sprung."""
    file = cluster.folder / "sprung"
    yield file
    file.unlink(missing_ok=True)


def set_trap(database: DatabaseAddress, sprung: Path) -> None:
    damage(database, "ALTER DATABASE broken OWNER TO clickview", "ALTER SCHEMA public OWNER TO clickview")
    with connect(replace(database, user="clickview")) as connection:
        connection.execute(_SPRING.format(sprung=sprung).encode())
        connection.execute(_TRAP)
        connection.execute("CREATE TABLE kept (id int, CHECK (trap(id)))")
        connection.execute("CREATE UNIQUE INDEX kept_trap ON kept (id, trap(id))")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 3)")


def role(report: CheckReport) -> str:
    return dict(report.about)["Role"]


def roles(cluster: Cluster) -> set[str]:
    with connect(cluster.admin) as connection:
        return {row[0] for row in connection.execute("SELECT rolname::text FROM pg_roles").fetchall()}


def assert_looked_at(report: CheckReport) -> None:
    """All was looked at, files too, and found in order."""
    assert failures(report) == {}
    passed = {one.name for one in report.results if one.status is CheckStatus.PASSED}
    assert passed > {
        "kept: kept_id_check holds",
        "kept: kept_trap is unique",
        "no table and no index is damaged",
    }


def test_a_function_in_a_condition_runs_as_the_reader(database: DatabaseAddress, sprung: Path) -> None:
    set_trap(database, sprung)
    report = check_data(database, Source(), target=None)
    assert not sprung.exists()
    assert role(report) == READER
    assert_looked_at(report)


def test_a_function_in_the_search_path_of_the_database_is_not_found_by_a_superuser(
    database: DatabaseAddress, sprung: Path
) -> None:
    set_trap(database, sprung)
    with connect(replace(database, user="clickview")) as connection:
        connection.execute("CREATE SCHEMA traps")
        connection.execute(
            "CREATE FUNCTION traps.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM public.spring(); RETURN pg_catalog.set_config($1, $2, $3); END $$"
        )
        connection.execute(
            "CREATE FUNCTION traps.pg_is_in_recovery() RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch SPRUNG'; RETURN false; END $$".replace(
                "SPRUNG", str(sprung)
            ).encode()
        )
        connection.execute("ALTER DATABASE broken SET search_path = traps, public, pg_catalog")
    report = check_data(database, Source(), target=None)
    assert not sprung.exists()
    assert_looked_at(report)


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        (f"ALTER ROLE {READER} NOBYPASSRLS", f"ALTER ROLE {READER} BYPASSRLS"),
        (f"REVOKE pg_read_all_data FROM {READER}", f"GRANT pg_read_all_data TO {READER}"),
        (f"ALTER ROLE {READER} SUPERUSER", f"ALTER ROLE {READER} NOSUPERUSER"),
        (f"GRANT pg_execute_server_program TO {READER}", f"REVOKE pg_execute_server_program FROM {READER}"),
        (f"ALTER ROLE {READER} RENAME TO missing", f"ALTER ROLE missing RENAME TO {READER}"),
        ("REVOKE CONNECT ON DATABASE broken FROM PUBLIC", "GRANT CONNECT ON DATABASE broken TO PUBLIC"),
    ],
)
def test_a_copy_without_a_reader_that_only_reads_all_gets_a_guest(
    cluster: Cluster, database: DatabaseAddress, sprung: Path, tmp_path: Path, spoil: str, mend: str
) -> None:
    set_trap(database, sprung)
    damage(cluster.admin, spoil)
    before = roles(cluster)
    try:
        with writing_to(open_journal(tmp_path, "checks")) as journal:
            report = check_data(database, Source(), target=None)
        assert roles(cluster) == before
    finally:
        damage(cluster.admin, mend)
    assert not sprung.exists()
    assert role(report) == GUEST
    assert_looked_at(report)
    assert f"the copy has no role {READER}" in (journal.folder / "journal.jsonl").read_text()


def test_what_the_reader_may_not_run_is_not_checked(database: DatabaseAddress, sprung: Path) -> None:
    set_trap(database, sprung)
    damage(database, "REVOKE EXECUTE ON FUNCTION trap FROM PUBLIC")
    report = check_data(database, Source(), target=None)
    assert failures(report) == {}
    said = {one.name: one.found for one in report.not_checked}
    assert said["kept: kept_id_check holds"] == "permission denied for function trap"


def test_who_is_no_superuser_stays_who_they_are(database: DatabaseAddress) -> None:
    asked = replace(database, user="clickview")
    with as_reader(asked, READER) as reader:
        assert reader == asked


def test_a_heartbeat_that_is_a_view_is_none_of_ours(database: DatabaseAddress, sprung: Path) -> None:
    set_trap(database, sprung)
    assert PostgresServer(database).read_heartbeat() is not None
    damage(
        database,
        "DROP TABLE clickview_recovery.heartbeat",
        "CREATE VIEW clickview_recovery.heartbeat AS SELECT now() AS at WHERE trap(1) IS NOT NULL",
    )
    assert PostgresServer(database).read_heartbeat() is None
    assert not sprung.exists()
