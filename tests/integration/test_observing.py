"""What is expected is looked at on a real server: each kind is met and broken, and what keeps us from looking is said."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from checks.expectation import agreed, no_rows, not_checked, orphans, rows_meet
from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.observing import observe
from recovery.adapters.postgres.seen import Seen
from recovery.catalog import Catalog, ForeignKey, TableName, quoted
from recovery.errors import SettingsInvalid, TargetUnreachable
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import DatabaseAddress
from tests.fix_postgres import Cluster
from tests.waiting import PATIENCE, until

ODD = TableName('a,b {x} "q"', '%s :y {batch}, "z"')
A, EMPTY, LARGE, ENDLESS, PARTS = (TableName("public", name) for name in ("a", "empty", "large", "endless", "parts"))

_TABLES = f"""
CREATE TABLE a (id int PRIMARY KEY, parent int, label text NOT NULL, note json, x xid);
INSERT INTO a SELECT i, CASE WHEN i = 7 THEN 99 ELSE 1 + i % 5 END, 'l' || i % 4, '{{}}', '1' FROM generate_series(1, 20) i;
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE endless (id int, created_at timestamptz, at timestamptz);
INSERT INTO endless VALUES (1, 'infinity', '10000-01-01 00:00+00'), (2, '-infinity', '4000-01-01 BC');
CREATE TABLE parts (id int, kept int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts SELECT i FROM generate_series(0, 19) i;
CREATE TABLE large (id int PRIMARY KEY, twin int, filler text);
INSERT INTO large SELECT i, i / 2, repeat('x', 200) FROM generate_series(1, 20000) i;
CREATE INDEX large_twin ON large (twin);
VACUUM (ANALYZE) large;
CREATE SCHEMA {quoted(ODD.schema)};
CREATE TABLE {ODD.sql} ({quoted('the "id"')} int, "%s" text, "{{y}} :z" text);
INSERT INTO {ODD.sql} VALUES (1, '%s', ':z'), (1, '{{y}}', ':z');
"""


@pytest.fixture(scope="module")
def here(cluster: Cluster) -> Iterator[DatabaseAddress]:
    """A database with tables of all sorts."""
    address = replace(cluster.admin, name="observed")
    with connect(cluster.admin) as connection:
        connection.execute("CREATE DATABASE observed")
    with connect(address) as connection:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement.encode())
    yield address
    with connect(cluster.admin) as connection:
        connection.execute("DROP DATABASE observed WITH (FORCE)")


def do(address: DatabaseAddress, *statements: str) -> None:
    with connect(address) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def look(
    address: DatabaseAddress, *expectations: Expectation, seconds: float = PATIENCE, **options: object
) -> list[Seen]:
    seen = observe(address, expectations, seconds=seconds, **options)  # type: ignore[arg-type]
    return [seen[number] for number in range(len(expectations))]


def rows(table: TableName) -> Expectation:
    return Expectation("rows", f"{table} rows", "", ExpectationKind.ROW_COUNT, table)


def unique(table: TableName, *columns: str) -> Expectation:
    return Expectation("keys", f"{table} {columns}", "", ExpectationKind.UNIQUE, table, columns)


def rule(table: TableName, breaks: str, *shown: str) -> Expectation:
    return rows_meet("rules", f"{table} {breaks}", "", table, breaks, shown=shown)


def query(sql: str, table: TableName | None = None) -> Expectation:
    return no_rows("queries", sql, "", sql, table=table)


def parents(table: TableName, column: str) -> Expectation:
    nobody_said = Catalog("observed", 150000, in_recovery=False, superuser=True)
    return query(orphans(nobody_said, ForeignKey("", table, (column,), A, ("id",))), table)


def test_each_kind_is_met_and_broken(here: DatabaseAddress) -> None:
    seen = look(
        here,
        rows(A),
        rows(EMPTY),
        rule(A, "c.id > 18", 'c."id"', "c.label"),
        rule(A, "c.id > 20", 'c."id"'),
        unique(A, "id"),
        unique(A, "label"),
        unique(EMPTY, "id"),
        parents(A, "parent"),
        parents(A, "id"),
        query("SELECT 5 AS rows_found, id FROM a WHERE id = 3", A),
        query("SELECT 1 WHERE false"),
        agreed("x", "same", "", ["one", "two"]),
        agreed("x", "equal", "", []),
    )
    assert [one.rows for one in seen] == [20, 0, 2, 0, 0, 20, 0, 1, 0, 5, 0, 2, 0]
    assert seen[2].examples == ((("id", "19"), ("label", "l3")), (("id", "20"), ("label", "l0")))
    assert sorted(seen[5].examples) == [(("label", f"l{number}"),) for number in range(4)]
    assert seen[7].examples == ((("ctid", "(0,7)"), ("parent", "99")),)
    assert seen[9].examples == ((("id", "3"),),)
    assert seen[11].examples == ((("", "one"),), (("", "two"),))
    assert not any(one.problem for one in seen)


def test_what_nobody_is_to_look_at_is_left_out(here: DatabaseAddress) -> None:
    assert observe(here, [not_checked("x", "y", "why"), rows(EMPTY)], seconds=PATIENCE) == {1: Seen(0)}


def test_only_ten_examples_are_shown_of_many(here: DatabaseAddress) -> None:
    (many,) = look(here, rule(LARGE, "true", "c.id"))
    assert (many.rows, len(many.examples)) == (20000, 10)


def test_values_that_python_has_no_word_for_are_shown(here: DatabaseAddress) -> None:
    (endless,) = look(here, rule(ENDLESS, "true", "c.created_at", "c.at", "NULL AS nothing"))
    assert endless.examples == (
        (("created_at", "infinity"), ("at", "10000-01-01 00:00:00+00"), ("nothing", "NULL")),
        (("created_at", "-infinity"), ("at", "4000-01-01 00:00:00+00 BC"), ("nothing", "NULL")),
    )


def test_odd_names_arrive_as_they_are_written(here: DatabaseAddress) -> None:
    seen = look(
        here,
        rows(ODD),
        rule(ODD, """c."{y} :z" = ':z' AND c."%s" IN ('%s', '{y}')""", 'c."{y} :z"', 'c."%s"'),
        unique(ODD, 'the "id"'),
        unique(ODD, "%s"),
    )
    assert [one.rows for one in seen] == [2, 2, 2, 0]
    assert seen[1].examples[0] == (("{y} :z", ":z"), ("%s", "%s"))
    assert seen[2].examples == ((('the "id"', "1"),),)


def test_generated_columns_and_partitions(here: DatabaseAddress) -> None:
    seen = look(here, rows(PARTS), rule(PARTS, "c.kept > 36", "c.id"), unique(PARTS, "id"), unique(PARTS, "kept"))
    assert [one.rows for one in seen] == [20, 1, 0, 0]


def test_a_type_without_equality_is_not_checked_and_harms_nobody(here: DatabaseAddress) -> None:
    json, xid, fine, same = look(here, unique(A, "note"), rule(A, "c.x > c.x"), rows(A), unique(A, "x"))
    assert (json.problem, json.damage) == ("could not identify an equality operator for type json", False)
    assert (xid.problem, xid.damage) == ("operator does not exist: xid > xid", False)
    assert (fine.rows, same.rows) == (20, 20)


def test_what_is_not_there_is_not_checked_and_harms_nobody(here: DatabaseAddress) -> None:
    gone, column, syntax, fine = look(
        here, rows(TableName("public", "gone")), rule(A, "c.gone"), query("SELECT FROM FROM", A), rows(A)
    )
    assert (gone.problem, gone.damage) == ('relation "public.gone" does not exist', False)
    assert (column.problem, column.damage) == ("column c.gone does not exist", False)
    assert (bool(syntax.problem), syntax.damage) == (True, False)
    assert fine == Seen(20)


def test_a_role_without_rights_is_told_so(cluster: Cluster, here: DatabaseAddress) -> None:
    do(cluster.admin, "CREATE ROLE nobody LOGIN")
    do(here, "GRANT SELECT ON empty TO nobody")
    try:
        denied, allowed = look(replace(here, user="nobody"), rows(A), rows(EMPTY))
    finally:
        do(here, "DROP OWNED BY nobody")
        do(cluster.admin, "DROP ROLE nobody")
    assert (denied.problem, denied.damage) == ("permission denied for table a", False)
    assert allowed == Seen(0)


def test_a_locked_table_is_not_checked_while_its_neighbours_are(here: DatabaseAddress) -> None:
    with connect(here, autocommit=False) as holder:
        holder.execute("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        locked, fine = look(here, rows(A), rows(EMPTY))
    assert (locked.problem, locked.damage) == ("canceling statement due to lock timeout", False)
    assert fine == Seen(0)


def test_what_is_too_slow_is_not_checked_while_its_neighbours_are(here: DatabaseAddress) -> None:
    slow = query("SELECT pg_sleep(600)")
    late, fine, neighbour = look(here, slow, rows(A), rows(LARGE), seconds=5, connections=2)
    assert (late.problem, late.damage) == ("canceling statement due to statement timeout", False)
    assert (fine.rows, neighbour.rows) == (20, 20000)


def test_after_the_deadline_nothing_is_looked_at(here: DatabaseAddress) -> None:
    late, left = look(here, query("SELECT pg_sleep(600)"), rows(A), seconds=2)
    assert not late.damage
    assert (left.problem, left.damage) == (
        "the deadline of all checks had passed: 2 s (checks.timeout_seconds)",
        False,
    )


def test_a_server_that_is_frozen_does_not_hold_us(here: DatabaseAddress) -> None:
    frozen: list[int] = []

    def freeze() -> None:
        with connect(here) as connection:
            sql = b"SELECT pid FROM pg_stat_activity WHERE query LIKE '%sleep(61%' AND pid <> pg_backend_pid()"
            (pid,) = until(lambda: connection.execute(sql).fetchone(), what="the statement")
        os.kill(pid, signal.SIGSTOP)
        frozen.append(pid)

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        late, left = look(here, query("SELECT pg_sleep(610)"), rows(A), seconds=10)
    finally:
        thread.join()
        os.kill(frozen[0], signal.SIGCONT)
    assert (bool(late.problem), late.damage) == (True, False)
    assert left.problem.startswith("the deadline of all checks had passed")


def test_a_connection_that_is_ended_is_made_anew(here: DatabaseAddress) -> None:
    ended = query("SELECT pg_terminate_backend(pg_backend_pid())")
    lost, fine = look(here, ended, rows(A))
    assert (lost.problem, lost.damage) == ("terminating connection due to administrator command", False)
    assert fine == Seen(20)


def test_a_second_connection_that_is_refused_leaves_all_to_the_first(cluster: Cluster, here: DatabaseAddress) -> None:
    do(cluster.admin, "CREATE ROLE narrow LOGIN SUPERUSER", "ALTER ROLE narrow CONNECTION LIMIT 1")
    do(cluster.admin, "ALTER ROLE narrow NOSUPERUSER BYPASSRLS", "GRANT pg_read_all_data TO narrow")
    try:
        fine, large = look(replace(here, user="narrow"), rows(A), rows(LARGE), connections=2)
    finally:
        do(cluster.admin, "DROP ROLE narrow")
    assert (fine.rows, large.rows) == (20, 20000)


def test_a_server_that_does_not_let_us_in_is_an_error(here: DatabaseAddress) -> None:
    with pytest.raises(TargetUnreachable):
        observe(replace(here, port=1), [rows(A)], seconds=PATIENCE)
    with pytest.raises(SettingsInvalid):
        observe(replace(here, name="nowhere"), [rows(A)], seconds=PATIENCE)


@pytest.mark.parametrize("proven", [True, False])
def test_a_large_key_is_checked_by_index_or_by_table(here: DatabaseAddress, proven: bool) -> None:
    seen = look(here, unique(LARGE, "id"), unique(LARGE, "twin"), parents(LARGE, "twin"), proven=lambda: proven)
    assert [one.rows for one in seen] == [0, 19998, 19960]
    assert len(seen[1].examples) == 10


def test_an_index_is_read_only_when_it_is_proven(here: DatabaseAddress) -> None:
    # An index that says nothing of half of the rows: who reads it sees no repeats.
    do(
        here,
        "CREATE TABLE half (id int, filler text)",
        "INSERT INTO half SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i",
        "CREATE INDEX half_id ON half (id)",
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'half_id'::regclass",
    )
    do(here, "INSERT INTO half SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i")
    do(here, "UPDATE pg_index SET indisready = true WHERE indexrelid = 'half_id'::regclass", "VACUUM (ANALYZE) half")
    half = unique(TableName("public", "half"), "id")
    assert look(here, half, proven=lambda: False)[0].rows == 40000
    assert look(here, half, proven=lambda: True)[0].rows == 0


def test_a_damaged_page_is_damage_and_its_neighbours_are_answered(cluster: Cluster, here: DatabaseAddress) -> None:
    do(here, "CREATE TABLE broken AS SELECT i AS id FROM generate_series(1, 100) i", "CHECKPOINT")
    with connect(here) as connection:
        path = connection.execute("SELECT pg_relation_filepath('broken')").fetchone()[0]  # type: ignore[index]
    cluster.stop()
    with (cluster.data_dir / path).open("r+b") as file:
        file.seek(4000)
        file.write(b"\xde\xad\xbe\xef" * 16)
    cluster.start()
    broken = TableName("public", "broken")
    counted, key, fine = look(here, rows(broken), unique(broken, "id"), rows(A))
    assert counted.damage and key.damage
    assert "invalid page in block 0" in counted.problem
    assert fine == Seen(20)
