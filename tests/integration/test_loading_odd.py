"""What a dump passes over, and what goes wrong without a word: it is named, or the load fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.adapters.postgres.amcheck import check_copy
from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.adapters.postgres.handing_over import creation
from recovery.adapters.postgres.load_rows import copy_rows
from recovery.adapters.postgres.loading import Load
from recovery.adapters.postgres.properties import Setting, read_properties
from recovery.errors import CommandFailed, VerificationFailed
from recovery.facts import CheckStatus, DatabaseAddress, LeftOut
from tasks.data import no_database_report
from tests.fix_data import damage
from tests.fix_postgres import BIN, Cluster
from tests.waiting import PATIENCE


@pytest.fixture
def source(cluster: Cluster) -> Iterator[DatabaseAddress]:
    """An empty database, seen as in a restored copy."""
    damage(cluster.admin, "CREATE DATABASE of_others")
    yield replace(cluster.admin, name="of_others", bare=True)
    SiteDatabases(cluster.admin).drop("of_others")


@pytest.fixture
def loaded(cluster: Cluster, source: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """An empty database like that one."""
    SiteDatabases(cluster.admin).create("loaded", read_properties(source))
    yield replace(cluster.admin, name="loaded")
    SiteDatabases(cluster.admin).drop("loaded")


def load(cluster: Cluster, source: DatabaseAddress, into: DatabaseAddress, bin_dir: Path = BIN) -> dict[str, LeftOut]:
    left_out = Load(cluster.host, bin_dir, cluster.folder, source, into, "public", 120).run()
    return {one.what: one for one in left_out}


def rows(address: DatabaseAddress, query: str) -> list[object]:
    with connect(address) as connection:
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


def test_tables_of_an_extension_that_nobody_dumps_are_named(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    damage(
        source,
        "CREATE EXTENSION pg_trgm",
        "CREATE TABLE joined (id serial, v text)",
        "INSERT INTO joined (v) VALUES ('a'), ('b')",
        "CREATE TABLE empty_one (id int)",
        "CREATE TABLE listed (id int)",
        "INSERT INTO listed VALUES (1)",
        *(f"ALTER EXTENSION pg_trgm ADD TABLE {name}" for name in ("joined", "empty_one", "listed")),
        "ALTER EXTENSION pg_trgm ADD SEQUENCE joined_id_seq",
        "CREATE TABLE own (id int)",
    )
    left_out = load(cluster, source, loaded)
    assert [(one.what, one.of_rows) for one in left_out.values()] == [
        ("TABLE public.joined", True),
        ("SEQUENCE public.joined_id_seq", True),
        ("TABLE public.listed", True),
    ]
    assert left_out["TABLE public.joined"].why == (
        "belongs to extension pg_trgm, so PostgreSQL does not dump it: its 2 rows are not carried over"
    )


def test_of_a_table_of_an_extension_only_the_rows_of_people_are_copied(
    source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    damage(
        source,
        "CREATE EXTENSION pg_trgm",
        "CREATE TABLE listed (id int, own bool)",
        "INSERT INTO listed VALUES (1, false), (2, true)",
        "ALTER EXTENSION pg_trgm ADD TABLE listed",
        "UPDATE pg_extension SET extconfig = ARRAY['listed'::regclass::oid], extcondition = ARRAY['WHERE own']"
        " WHERE extname = 'pg_trgm'",
    )
    damage(loaded, "CREATE TABLE listed (id int PRIMARY KEY, own bool)", "INSERT INTO listed VALUES (1, false)")
    [oid] = rows(source, "SELECT 'listed'::regclass::oid::int")
    assert isinstance(oid, int)
    copy_rows(source, loaded, oid, search_path="public", seconds=60)
    assert rows(loaded, "SELECT id FROM listed ORDER BY 1") == [1, 2]


INDEXED = (
    "CREATE TABLE factors (factor int)",
    "INSERT INTO factors VALUES (3)",
    "CREATE FUNCTION rate(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
    " 'BEGIN RETURN (SELECT factor * $1 FROM factors LIMIT 1); END'",
    "CREATE TABLE orders (id int)",
    "INSERT INTO orders VALUES (1), (2)",
    "CREATE UNIQUE INDEX one_rate ON orders (rate(id))",
)


def test_a_second_try_that_ends_half_way_ends_the_load(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    """An index was missing then, and nobody said so."""
    damage(source, *INDEXED)
    programs = cluster.folder / "programs"
    programs.mkdir()
    for name in ("pg_dump", "psql"):
        (programs / name).symlink_to(BIN / name)
    broken = programs / "pg_restore"
    broken.write_text(f"""#!/bin/sh
case "$*" in *"-f -"*) echo 'pg_restore: error: could not read from input file: end of file' >&2; exit 1;; esac
exec {BIN}/pg_restore "$@"
""")
    broken.chmod(0o755)
    with pytest.raises(CommandFailed) as refused:
        load(cluster, source, loaded, programs)
    assert refused.value.problem.endswith("failed: could not read from input file: end of file")
    SiteDatabases(cluster.admin).drop("loaded")
    SiteDatabases(cluster.admin).create("loaded", read_properties(source))
    assert load(cluster, source, loaded) == {}
    assert rows(loaded, "SELECT relname::text FROM pg_class WHERE relname = 'one_rate'") == ["one_rate"]


def test_every_role_that_is_missing_is_named(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    gone = ("leaving_1", "leaving_2", "leaving_3")
    damage(
        source,
        *(f"CREATE ROLE {name}" for name in gone),
        "CREATE TABLE orders (id int)",
        "GRANT SELECT ON orders TO leaving_1, leaving_2",
        "CREATE POLICY of_them ON orders TO leaving_3",
    )
    renamed = [(name, f"{name}_x") for name in gone]
    try:
        # A dump names the roles of its source; that they are gone here is seen only where it is loaded.
        left_out = load_without_roles(cluster, source, loaded, renamed)
    finally:
        damage(source, "DROP TABLE orders", *(f"DROP ROLE IF EXISTS {name}_x, {name}" for name in gone))
    assert list(left_out) == ["role leaving_1", "role leaving_2", "POLICY public orders of_them postgres"]
    policy = left_out["POLICY public orders of_them postgres"]
    assert policy.why == 'role "leaving_3" does not exist'
    assert policy.statement == "CREATE POLICY of_them ON public.orders TO leaving_3;"


def load_without_roles(
    cluster: Cluster, source: DatabaseAddress, into: DatabaseAddress, renamed: list[tuple[str, str]]
) -> dict[str, LeftOut]:
    """Load through a pg_dump that renames the roles on this one server when it has read them."""
    programs = cluster.folder / "renaming"
    programs.mkdir()
    for name in ("pg_restore", "psql"):
        (programs / name).symlink_to(BIN / name)
    words = "; ".join(f"ALTER ROLE {old} RENAME TO {new}" for old, new in renamed)
    way = f"-h {cluster.admin.host} -p {cluster.admin.port} -U postgres -d postgres"
    dump = programs / "pg_dump"
    dump.write_text(f"""#!/bin/sh
{BIN}/pg_dump "$@"; status=$?
case "$*" in *--section=post-data*) {BIN}/psql -X -q {way} -c '{words}' >&2;; esac
exit $status
""")
    dump.chmod(0o755)
    return load(cluster, source, into, programs)


def test_conditions_that_cannot_be_asked_end_no_load(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    damage(
        source,
        "CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS v WITH NO DATA",
        "CREATE FUNCTION asks(int) RETURNS bool LANGUAGE plpgsql AS"
        " 'BEGIN RETURN $1 > (SELECT max(v) FROM public.never_filled); END'",
        "CREATE TABLE asked (v int)",
        "INSERT INTO asked VALUES (2)",
        "ALTER TABLE asked ADD CONSTRAINT above CHECK (asks(v)) NOT VALID",
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'above'",
        "CREATE DOMAIN positive AS int CONSTRAINT is_positive CHECK (VALUE > 0)",
        "CREATE TABLE in_arrays (v positive[])",
        "INSERT INTO in_arrays VALUES ('{1,2}')",
    )
    left_out = load(cluster, source, loaded)
    assert {what: one.why for what, one in left_out.items()} == {
        "CHECK public.asked above": 'holds for new rows only: materialized view "never_filled" has not been populated',
        "CHECK public.positive is_positive": "is asked of new values only, and nothing else can be:"
        ' cannot alter type "positive" because column "in_arrays.v" uses it',
    }
    assert left_out["CHECK public.positive is_positive"].statement == ""
    assert rows(loaded, "SELECT v FROM asked") == [2]


def test_a_database_without_the_schema_public(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    damage(source, "DROP SCHEMA public", "CREATE SCHEMA app CREATE TABLE own (id int)")
    assert load(cluster, source, loaded) == {}
    assert rows(loaded, "SELECT nspname::text FROM pg_namespace WHERE nspname IN ('public', 'app')") == ["app"]


def test_event_triggers_do_not_see_that_a_copy_is_looked_at(cluster: Cluster, source: DatabaseAddress) -> None:
    """They would run as a superuser; and one that forbids changes would keep us from looking."""
    damage(
        source,
        "CREATE TABLE own (id int)",
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no changes''; END'",
        "CREATE EVENT TRIGGER a ON ddl_command_start EXECUTE FUNCTION no()",
        'CREATE EVENT TRIGGER "b\'x" ON ddl_command_end EXECUTE FUNCTION no()',
        "CREATE EVENT TRIGGER c ON sql_drop EXECUTE FUNCTION no()",
        "CREATE EVENT TRIGGER d ON sql_drop EXECUTE FUNCTION no()",
        'ALTER EVENT TRIGGER "b\'x" ENABLE ALWAYS',
        "ALTER EVENT TRIGGER c ENABLE REPLICA",
        "ALTER EVENT TRIGGER d DISABLE",
    )
    [result] = check_copy(cluster.host, BIN / "pg_amcheck", source, jobs=1, seconds=PATIENCE)
    assert (result.status, result.found) == (CheckStatus.PASSED, "no damage found")
    triggers = "SELECT evtname || ' ' || evtenabled::text FROM pg_event_trigger ORDER BY 1"
    assert rows(source, triggers) == ["a O", "b'x A", "c R", "d D"]
    assert rows(source, "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'") == [0]


def test_a_setting_that_is_refused_is_shown_as_a_person_can_type_it(cluster: Cluster) -> None:
    databases = SiteDatabases(cluster.admin)
    try:
        wanted = read_properties(replace(cluster.admin, name="pristine"))
        databases.create('load"ed', wanted)
        lists = (
            Setting('lea"ving', "search_path", 'App, "$user", "o\'dd, ""one"""'),
            Setting("leaving", "search_path", '""'),
            Setting("leaving", "session_preload_libraries", "Lib;DROP/**/ROLE/**/beats"),
        )
        left_out = databases.hand_over('load"ed', 'wei"rd', replace(wanted, settings=lists))
        assert [one.statement for one in left_out] == [
            'ALTER ROLE "lea""ving" IN DATABASE "wei""rd" SET "search_path" TO "app", "$user", "o\'dd, ""one"""',
            'ALTER ROLE "leaving" IN DATABASE "wei""rd" SET "search_path" TO \'\'',
            'ALTER ROLE "leaving" IN DATABASE "wei""rd" SET "session_preload_libraries" TO "Lib;DROP/**/ROLE/**/beats"',
        ]
    finally:
        databases.drop('load"ed')
        databases.drop('wei"rd')


def test_the_provider_of_the_locale_is_always_said(cluster: Cluster) -> None:
    """The server's own may be another (initdb --locale-provider=icu)."""
    statement = creation("x", read_properties(replace(cluster.admin, name="pristine"))).as_string()
    assert statement.endswith("LOCALE_PROVIDER libc")


def test_a_database_that_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(VerificationFailed) as refused:
        read_properties(replace(cluster.admin, name="dropped"))
    where = f"{cluster.admin.host}:{cluster.admin.port}"
    assert refused.value.problem == f"there is no database dropped on {where}"
    report = no_database_report(replace(cluster.admin, name=""), "dropped")
    assert report.worst.startswith("the database is there: there is no database dropped; there is ")


@pytest.mark.parametrize("name", ["with:colon", "back\\slash"])
def test_a_user_with_an_odd_name_finds_the_password(cluster: Cluster, name: str, source: DatabaseAddress) -> None:
    load = Load(cluster.host, BIN, cluster.folder, source, replace(source, user=name, password="p:w\\d"), "public", 60)
    with load._password_file() as env:
        [line] = cluster.host.run(["cat", env["PGPASSFILE"]], timeout_seconds=60).stdout.splitlines()
    escaped = name.replace("\\", "\\\\").replace(":", "\\:")
    assert line == f"*:*:*:{escaped}:p\\:w\\\\d"
