"""A database goes into another server whole: every row, or not at all; what cannot be made of them is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from recovery.adapters import files
from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.adapters.postgres.loading import Load
from recovery.adapters.postgres.properties import read_properties, read_search_path
from recovery.errors import CommandFailed, RecoveryError
from recovery.facts import DatabaseAddress, LeftOut
from tests.fix_data import damage
from tests.fix_postgres import Cluster

PATH = "app, public"
SOURCE = """
ALTER DATABASE of_others SET search_path = app, public;
SET search_path = app, public;
CREATE SCHEMA app;
CREATE TABLE factors (factor int);
INSERT INTO factors VALUES (3);
CREATE FUNCTION rate(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT factor * $1 FROM factors LIMIT 1';
CREATE TABLE orders (id int PRIMARY KEY, rated int GENERATED ALWAYS AS (rate(id)) STORED, "a,b ""c" text, CHECK (rate(id) > 0));
INSERT INTO orders (id, "a,b ""c") SELECT i, repeat('x', 10) FROM generate_series(1, 100) i;
CREATE INDEX orders_rate ON orders (rate(id + 1));
CREATE MATERIALIZED VIEW totals AS SELECT sum(rate(id)) AS total FROM orders;
CREATE INDEX totals_total ON totals (total);
CREATE DOMAIN positive AS int CHECK (rate(VALUE) > 0);
CREATE TABLE of_domain (v positive);
INSERT INTO of_domain VALUES (1);
CREATE TABLE broken (v int);
INSERT INTO broken VALUES (-1), (1);
ALTER TABLE broken ADD CONSTRAINT above CHECK (v > 0) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'above';
CREATE TABLE later (v int);
ALTER TABLE later ADD CONSTRAINT never CHECK (v > 0) NOT VALID;
CREATE TABLE parents (id int, CONSTRAINT whole CHECK (id > 0));
CREATE TABLE children (PRIMARY KEY (id)) INHERITS (parents);
INSERT INTO children VALUES (1);
CREATE TABLE parted (id int, CONSTRAINT several CHECK (rate(id) > 0)) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO parted VALUES (7);
CREATE TABLE twice (v int);
INSERT INTO twice VALUES (1), (1);
CREATE TABLE lost (v int);
CREATE FUNCTION from_lost(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT max(v) FROM lost); END';
CREATE MATERIALIZED VIEW forlorn AS SELECT from_lost(1);
DROP TABLE lost;
CREATE EXTENSION pg_trgm;
UPDATE pg_extension SET extname = 'of_elsewhere' WHERE extname = 'pg_trgm';
CREATE SEQUENCE counted;
SELECT setval('counted', 77);
SELECT lo_from_bytea(0, 'large');
CREATE PUBLICATION all_of_it FOR ALL TABLES;
CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION p WITH (connect = false);
CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no changes here''; END';
CREATE EVENT TRIGGER nothing_is_made ON ddl_command_start EXECUTE FUNCTION no();
ALTER EVENT TRIGGER nothing_is_made ENABLE ALWAYS
"""
# Nobody's habit of these may reach a load.
HABITS = (
    "ALTER ROLE postgres SET default_transaction_read_only = on",
    "ALTER ROLE postgres SET statement_timeout = '1ms'",
    "ALTER ROLE postgres SET default_transaction_isolation = serializable",
    "ALTER ROLE ALL SET lock_timeout = '1ms'",
)


@pytest.fixture
def source(cluster: Cluster) -> Iterator[DatabaseAddress]:
    """A database of somebody else, on a server with habits."""
    address = replace(cluster.admin, name="of_others", bare=True)
    try:
        damage(cluster.admin, "CREATE DATABASE of_others")
        damage(address, *SOURCE.split(";\n"))
        damage(cluster.admin, *HABITS)
        yield address
    finally:
        damage(cluster.admin, "ALTER ROLE postgres RESET ALL", "ALTER ROLE ALL RESET ALL")
        SiteDatabases(cluster.admin).drop("of_others")


@pytest.fixture
def loaded(cluster: Cluster, source: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """An empty database like that one."""
    SiteDatabases(cluster.admin).create("loaded", read_properties(source))
    yield replace(cluster.admin, name="loaded")
    SiteDatabases(cluster.admin).drop("loaded")


def load(cluster: Cluster, source: DatabaseAddress, into: DatabaseAddress) -> dict[str, LeftOut]:
    path = read_search_path(source, "clickview")
    left_out = Load(cluster.host, cluster.bin_dir, cluster.folder, source, into, path, 120).run()
    return {one.what: one for one in left_out}


def value(address: DatabaseAddress, query: str) -> object:
    with connect(address) as connection:
        connection.execute(f"SET search_path = {PATH}".encode())
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_all_rows_and_all_that_can_be_made_of_them(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    left_out = load(cluster, source, loaded)
    assert list(left_out) == [
        "EXTENSION of_elsewhere",
        "COMMENT EXTENSION of_elsewhere",
        "MATERIALIZED VIEW DATA app forlorn postgres",
        "CHECK app.broken above",
    ]
    extension, _, forlorn, above = left_out.values()
    assert extension.why == 'extension "of_elsewhere" is not available'
    assert forlorn.why == 'relation "lost" does not exist'
    assert forlorn.statement == "REFRESH MATERIALIZED VIEW app.forlorn;"
    assert above.why == 'holds for new rows only: check constraint "above" of relation "broken" is violated by some row'
    assert above.statement == 'ALTER TABLE "app"."broken" VALIDATE CONSTRAINT "above"'
    assert value(loaded, "SELECT total FROM app.totals") == 15150
    assert value(loaded, "SELECT sum(rated) FROM app.orders") == 15150
    assert value(loaded, "SELECT count(*) FROM app.broken") == 2
    assert value(loaded, "SELECT count(*) FROM app.part_1") == 1
    assert value(loaded, "SELECT last_value FROM app.counted") == 77
    assert value(loaded, "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata") == "large"
    indexes = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'i' AND relnamespace = 'app'::regnamespace"
    assert value(loaded, indexes) == "children_pkey,orders_pkey,orders_rate,totals_total"
    unproven = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE NOT convalidated"
    assert value(loaded, unproven) == "above,never"
    assert value(source, unproven) == "never"  # and the copy is as it was
    assert value(
        loaded, "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND connamespace = 'app'::regnamespace"
    ) == (
        value(source, "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND connamespace = 'app'::regnamespace")
    )
    assert value(loaded, "SELECT puballtables FROM pg_publication") is True
    assert (
        value(loaded, "SELECT string_agg(evtname || evtenabled::text, ',') FROM pg_event_trigger") == "nothing_is_madeA"
    )
    subscribed = (
        "SELECT subenabled FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = 'loaded'"
    )
    assert value(loaded, subscribed) is False


def test_a_table_that_cannot_be_filled_ends_the_load(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    damage(
        source,
        "ALTER EVENT TRIGGER nothing_is_made DISABLE",
        "CREATE OR REPLACE FUNCTION app.rate(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / ($1 - 5)'",
    )
    with pytest.raises(RecoveryError) as refused:
        load(cluster, source, loaded)
    assert "division by zero" in refused.value.problem


def test_a_table_that_cannot_be_made_ends_the_load(
    cluster: Cluster, source: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    """As with a type of an extension that this server has not."""
    damage(loaded, "CREATE SCHEMA app", "CREATE TYPE app.orders AS (v int)")  # no table can have this name
    with pytest.raises(CommandFailed) as refused:
        load(cluster, source, loaded)
    assert refused.value.problem.startswith("copying the database into loaded failed: ")


ODD_NAME = 'O\'dd "one" = \\x, y'


def test_any_name_and_an_old_encoding(cluster: Cluster) -> None:
    databases, odd = SiteDatabases(cluster.admin), sql.Identifier(ODD_NAME)
    source = replace(cluster.admin, name=ODD_NAME, bare=True)
    statements = (
        'CREATE SCHEMA "größe, ""1"""',
        'SET search_path = "größe, ""1"""',
        'CREATE TABLE "maß" (v int)',
        'INSERT INTO "maß" VALUES (2)',
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT v FROM \"maß\" LIMIT 1'",
        'CREATE TABLE "tä\'b\\le" (id int, "é" text DEFAULT \'ü\', n int GENERATED ALWAYS AS (f(id)) STORED)',
        'INSERT INTO "tä\'b\\le" (id) VALUES (1)',
        'CREATE MATERIALIZED VIEW "ansicht ö" AS SELECT f(id) AS v FROM "tä\'b\\le"',
    )
    try:
        with connect(cluster.admin) as connection:
            make = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
            connection.execute(sql.SQL(make).format(odd))
        damage(source, *statements)
        with connect(cluster.admin) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET search_path = {}").format(odd, sql.Identifier('größe, "1"'))
            )
        databases.create("loaded", read_properties(source))
        loaded = replace(cluster.admin, name="loaded")
        assert load(cluster, source, loaded) == {}
        with connect(loaded) as connection:
            connection.execute('SET search_path = "größe, ""1"""')
            row = connection.execute('SELECT n, "é", (SELECT v FROM "ansicht ö") FROM "tä\'b\\le"').fetchone()
        assert row == (2, "ü", 2)
    finally:
        for name in (ODD_NAME, "loaded"):
            databases.drop(name)


PROPERTIES = (
    "ALTER DATABASE of_others OWNER TO clickview",
    "REVOKE ALL ON DATABASE of_others FROM PUBLIC",
    "GRANT CONNECT ON DATABASE of_others TO beats WITH GRANT OPTION",
    "ALTER DATABASE of_others CONNECTION LIMIT 7",
    "COMMENT ON DATABASE of_others IS 'it''s theirs'",
    'ALTER DATABASE of_others SET search_path = app, "$user", "o\'dd, one"',
    "ALTER DATABASE of_others SET my.own = 'a \\ ''b'''",
    "ALTER ROLE clickview IN DATABASE of_others SET statement_timeout = '3s'",
    "ALTER ROLE clickview IN DATABASE of_others SET search_path = theirs",
)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE DATABASE of_others TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kn' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
        "CREATE DATABASE of_others TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        "CREATE DATABASE of_others TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
    ],
)
def test_a_database_is_handed_over_with_all_that_it_was(cluster: Cluster, made: str) -> None:
    databases = SiteDatabases(cluster.admin)
    address = replace(cluster.admin, name="of_others")
    try:
        damage(cluster.admin, made, *PROPERTIES)
        wanted = read_properties(address)
        databases.create("loaded", wanted)
        guest = replace(cluster.admin, name="loaded", user="clickview")
        with pytest.raises(RecoveryError, match="may not connect to this database"):  # not yet anybody's
            value(guest, "SELECT 1")
        assert databases.hand_over("loaded", "handed_over", wanted) == ()
        assert read_properties(replace(address, name="handed_over")) == wanted
        assert read_search_path(address, "clickview") == "theirs"
        assert read_search_path(address, "beats") == 'app, "beats", "o\'dd, one"'
        assert read_search_path(cluster.admin, "beats") == '"beats", public'
    finally:
        for name in ("of_others", "loaded", "handed_over"):
            databases.drop(name)


def test_a_server_without_the_database_postgres(cluster: Cluster) -> None:
    template, pristine = replace(cluster.admin, name="template1"), replace(cluster.admin, name="pristine")
    damage(template, "ALTER DATABASE postgres RENAME TO gone")
    try:
        assert read_search_path(pristine, "clickview") == '"clickview", public'
        assert read_properties(pristine).owner == "clickview"
    finally:
        damage(template, "ALTER DATABASE gone RENAME TO postgres")


def test_what_nobody_changed_stays_open_to_all(cluster: Cluster) -> None:
    databases = SiteDatabases(cluster.admin)
    try:
        wanted = read_properties(replace(cluster.admin, name="pristine"))
        databases.create("loaded", wanted)
        databases.hand_over("loaded", "handed_over", wanted)
        rights = "SELECT datacl::text FROM pg_database WHERE datname = 'handed_over'"
        assert value(cluster.admin, rights) == "{clickview=CTc/clickview,=Tc/clickview}"
    finally:
        for name in ("loaded", "handed_over"):
            databases.drop(name)


def test_a_monitor_that_enters_every_database_does_not_undo_a_load(cluster: Cluster) -> None:
    databases = SiteDatabases(cluster.admin)
    try:
        wanted = read_properties(replace(cluster.admin, name="pristine"))
        databases.create("loaded", wanted)
        with connect(replace(cluster.admin, name="loaded")) as monitor:
            assert databases.hand_over("loaded", "handed_over", wanted) == ()
            with pytest.raises(psycopg.errors.AdminShutdown):
                monitor.execute("SELECT 1")
        assert value(replace(cluster.admin, name="handed_over"), "SELECT 1") == 1
    finally:
        for name in ("loaded", "handed_over"):
            databases.drop(name)


def test_a_role_that_is_gone_is_named_and_opens_nothing(cluster: Cluster) -> None:
    databases = SiteDatabases(cluster.admin)
    try:
        damage(cluster.admin, "CREATE ROLE leaving", "CREATE DATABASE of_others OWNER leaving")
        damage(cluster.admin, "REVOKE CONNECT ON DATABASE of_others FROM PUBLIC")
        wanted = read_properties(replace(cluster.admin, name="of_others"))
        damage(cluster.admin, "DROP DATABASE of_others", "DROP ROLE leaving")
        databases.create("loaded", wanted)
        left_out = databases.hand_over("loaded", "handed_over", wanted)
        assert [(one.what, one.why) for one in left_out] == [
            ("owner of the database", 'role "leaving" does not exist'),
            *[("rights on the database", 'role "leaving" does not exist')] * (len(left_out) - 1),
        ]
        assert left_out[0].statement == 'ALTER DATABASE "handed_over" OWNER TO "leaving"'
        with pytest.raises(RecoveryError, match="may not connect to this database"):
            value(replace(cluster.admin, name="handed_over", user="clickview"), "SELECT 1")
    finally:
        for name in ("of_others", "loaded", "handed_over"):
            databases.drop(name)


def test_room_is_asked_of_the_disk_that_holds_a_path(cluster: Cluster) -> None:
    assert files.on_one_disk(cluster.host, cluster.data_dir, cluster.folder / "not" / "yet" / "there")
    assert not files.on_one_disk(cluster.host, cluster.data_dir, Path("/proc"))
