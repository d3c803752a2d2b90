"""What people set for their sessions (ALTER DATABASE … SET, ALTER ROLE … SET) changes nothing that ours read and write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from checks.as_recorded import Source
from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.adapters.postgres.loading import Load
from recovery.adapters.postgres.properties import read_properties
from recovery.errors import RecoveryError
from recovery.facts import DatabaseAddress
from tasks.data import check_data
from tests.fix_data import damage, failures
from tests.fix_postgres import PASSWORD, READER, Cluster
from tests.integration.test_data_files import break_file

pytestmark = pytest.mark.usefixtures("checker")

HOSTILE = {
    "role": "clickview",  # so that all new tables belong to the application
    "zero_damaged_pages": "on",
    "ignore_checksum_failure": "on",
    "session_replication_role": "replica",
    "array_nulls": "off",
    "extra_float_digits": "-10",
    "bytea_output": "escape",
    "intervalstyle": "sql_standard",
    "datestyle": "German",
    "quote_all_identifiers": "on",
    "xmloption": "document",
    "transform_null_equals": "on",
    "constraint_exclusion": "on",
    "standard_conforming_strings": "off",
    "default_tablespace": "nowhere",
}
# Its function of another table is found in no empty search_path: its rows are copied by our own COPY.
MADE = (
    "CREATE TABLE public.factors (factor int)",
    "INSERT INTO public.factors VALUES (1)",
    "CREATE FUNCTION public.rate(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
    " 'BEGIN RETURN (SELECT factor * $1 FROM factors LIMIT 1); END'",
    "CREATE TABLE public.odd (id int, n int GENERATED ALWAYS AS (public.rate(id)) STORED, a text[], f float8, m money,"
    " b bytea, i interval, d date, x xml, CHECK (f = NULL))",
    r"INSERT INTO public.odd VALUES (1, DEFAULT, ARRAY[NULL, 'NULL'], 0.1::float8 + 0.2, 1234.5,"
    r" '\x00ff5c', '-1 day +2:03', '2024-02-01', 'a <b/>')",
)
READ = "SELECT n, a, f, m::numeric, b, i, d, x::text FROM public.odd"


@pytest.fixture
def hostile(cluster: Cluster, database: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A database, seen as in a restored copy, whose people set everything that would change what is read."""
    damage(database, "SET transform_null_equals = off", *MADE)
    damage(cluster.admin, *(f"ALTER ROLE ALL SET {name} = '{value}'" for name, value in HOSTILE.items()))
    damage(cluster.admin, *(f"ALTER DATABASE broken SET {name} = '{value}'" for name, value in HOSTILE.items()))
    yield replace(database, bare=True)
    damage(cluster.admin, "ALTER ROLE ALL RESET ALL")


@pytest.fixture
def loaded(cluster: Cluster, hostile: DatabaseAddress) -> Iterator[DatabaseAddress]:
    SiteDatabases(cluster.admin).create("loaded", read_properties(hostile))
    yield replace(cluster.admin, name="loaded")
    SiteDatabases(cluster.admin).drop("loaded")


def load(cluster: Cluster, source: DatabaseAddress, into: DatabaseAddress) -> list[str]:
    return [one.what for one in Load(cluster.host, cluster.bin_dir, cluster.folder, source, into, "public", 120).run()]


def rows(address: DatabaseAddress, query: str = READ) -> object:
    with connect(address) as connection:
        return connection.execute(query.encode()).fetchone()


def test_each_value_arrives_as_it_was(cluster: Cluster, hostile: DatabaseAddress, loaded: DatabaseAddress) -> None:
    assert load(cluster, hostile, loaded) == []
    assert rows(hostile) == rows(loaded)
    assert rows(loaded, "SELECT a::text, f::text, m::numeric FROM odd") == (
        '{NULL,"NULL"}',
        "0.30000000000000004",
        1234.5,
    )
    condition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'public.odd'::regclass"
    assert rows(loaded, condition) == rows(hostile, condition)


def test_a_broken_page_is_not_taken_for_an_empty_one(
    cluster: Cluster, hostile: DatabaseAddress, loaded: DatabaseAddress
) -> None:
    break_file(cluster, hostile, "public.widgets", block=0, offset=4000)
    with pytest.raises(RecoveryError, match="invalid page in block 0"):
        load(cluster, hostile, loaded)
    broken = failures(check_data(hostile, Source(), target=None))
    assert "public.widgets is not damaged" in broken
    assert "invalid page in block 0" in broken["widgets.dashboard_id points at a row of dashboards"].found


@pytest.mark.usefixtures("hostile")
def test_the_reader_is_let_in_and_is_itself(database: DatabaseAddress) -> None:
    reader = replace(database, user=READER, password=PASSWORD)
    assert rows(reader, "SELECT current_user::text, count(*) > 0 FROM users") == (READER, True)
