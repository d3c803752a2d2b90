"""An orphan is what the foreign key itself takes for one: it is asked with the key's own operators."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.as_recorded import Source
from checks.expectation import orphans
from recovery.adapters.postgres.catalog import read_catalog
from recovery.adapters.postgres.connection import connect
from recovery.catalog import Catalog, ForeignKey
from recovery.facts import CheckReport, DatabaseAddress
from tasks.data import check_data
from tests.fix_data import damage, failures
from tests.fix_postgres import PASSWORD, READER

pytestmark = pytest.mark.usefixtures("checker")

_MEMBERS = (
    "CREATE SCHEMA extensions",
    "CREATE EXTENSION citext SCHEMA extensions",
    "CREATE TABLE members (name extensions.citext PRIMARY KEY)",
    "CREATE TABLE visits (id int PRIMARY KEY, name extensions.citext REFERENCES members)",
    "INSERT INTO members VALUES ('Ann')",
    "INSERT INTO visits VALUES (1, 'ann')",
)
_VISITS = "visits.name points at a row of members"


def as_the_reader(database: DatabaseAddress) -> CheckReport:
    reader = replace(database, user=READER, password=PASSWORD)
    return check_data(reader, Source(), target=None, copy=False)


def key_of(catalog: Catalog, table: str) -> ForeignKey:
    (key,) = [one for one in catalog.foreign_keys if one.table.name == table]
    return key


def test_equality_of_a_type_whose_schema_is_not_in_the_search_path(database: DatabaseAddress) -> None:
    damage(database, *_MEMBERS)
    assert failures(as_the_reader(database)) == {}
    damage(database, "INSERT INTO visits VALUES (2, 'bob')")
    broken = failures(as_the_reader(database))
    assert {name: one.examples for name, one in broken.items()} == {_VISITS: ("id = 2, name = bob",)}


def test_operators_are_read_in_the_order_of_the_columns(database: DatabaseAddress) -> None:
    damage(
        database,
        *_MEMBERS,
        "CREATE TABLE homes (street text, nick extensions.citext, number int, PRIMARY KEY (street, nick, number))",
        "CREATE TABLE rooms (s text, n extensions.citext, h bigint,"
        " FOREIGN KEY (h, n, s) REFERENCES homes (number, nick, street))",
        "INSERT INTO homes VALUES ('a', 'x', 1)",
        "INSERT INTO rooms VALUES ('a', 'X', 1)",
    )
    assert key_of(read_catalog(database), "rooms").operators == ("pg_catalog.=", "extensions.=", "pg_catalog.=")
    assert failures(as_the_reader(database)) == {}


@pytest.mark.parametrize("kind", ["int", "bigint", "text", "uuid"])
def test_orphans_are_found_by_one_hash_join(database: DatabaseAddress, kind: str) -> None:
    parent = "int" if kind == "bigint" else kind
    damage(
        database,
        f"CREATE TABLE parent (id {parent} PRIMARY KEY)",
        f"CREATE TABLE child (id {kind} REFERENCES parent)",
    )
    catalog = read_catalog(database)
    with connect(database) as connection:
        plan = connection.execute(f"EXPLAIN {orphans(catalog, key_of(catalog, 'child'))}".encode()).fetchall()
    assert any("Hash Anti Join" in line or "Hash Right Anti Join" in line for (line,) in plan), plan
