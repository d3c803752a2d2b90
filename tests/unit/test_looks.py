"""One scan answers all that is asked of a table; small tables share a statement, large ones come first."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from checks.expectation import no_rows, rows_meet
from recovery.adapters.postgres.looks import FROM_TABLES, TableShape, examples_query, statements
from recovery.adapters.postgres.seen import Seen, unseen
from recovery.catalog import TableName
from recovery.expectation import Expectation, ExpectationKind

SMALL, LARGE, LARGER = (TableName("public", name) for name in ("small", "large", "larger"))
KEY = frozenset({("id",)})
SHAPES = {SMALL: TableShape(1, KEY), LARGE: TableShape(1000, KEY), LARGER: TableShape(2000)}


def rows(table: TableName) -> Expectation:
    return Expectation("rows", f"{table} rows", "", ExpectationKind.ROW_COUNT, table, minimum=1)


def rule(table: TableName, breaks: str = "c.x < 0") -> Expectation:
    return rows_meet("rules", f"{table} {breaks}", "", table, breaks, shown=['c."id"'])


def key(table: TableName, *columns: str) -> Expectation:
    return Expectation("keys", f"{table} key", "", ExpectationKind.UNIQUE, table, columns or ("id",))


def query(table: TableName | None) -> Expectation:
    return no_rows("queries", f"{table} query", "", " SELECT 1 AS rows_found FROM x; ", table=table)


def asked(*expectations: Expectation) -> list[list[int]]:
    return [statement.numbers for statement in statements(expectations, SHAPES)]


def test_one_scan_answers_all_that_is_asked_of_a_table() -> None:
    (one,) = statements([rows(SMALL), rule(SMALL), rule(SMALL, "c.y IS NULL -- odd")], SHAPES)
    assert one.sql == (
        "SELECT 0, ARRAY[count(*), count(*) FILTER (WHERE c.x < 0\n), count(*) FILTER (WHERE c.y IS NULL -- odd\n)]"
        '::bigint[] FROM "public"."small" c'
    )


def test_a_table_is_read_once_more_for_what_is_asked_of_its_heirs_too() -> None:
    own = [replace(one, only=True) for one in (rows(SMALL), rule(SMALL), key(SMALL))]
    made = statements([*own, rule(SMALL, "c.id > 9")], SHAPES)
    looks = {tuple(look.counts): look.source for one in made for look in one.looks}
    assert looks == {
        (0, 1): 'ONLY "public"."small" c',
        (3,): '"public"."small" c',
        (2,): '(SELECT count(*) FROM ONLY "public"."small" WHERE "id" IS NOT NULL GROUP BY "id"'
        " HAVING count(*) > 1) repeated(times)",
    }
    assert examples_query(own[1]).startswith('SELECT c."id" FROM ONLY "public"."small" c WHERE')
    assert examples_query(own[2]).startswith('SELECT "id" FROM ONLY "public"."small" WHERE')


def test_small_tables_share_a_statement() -> None:
    tables = [TableName("public", f"t{number}") for number in range(95)]
    made = statements([rows(table) for table in tables], {table: TableShape(3) for table in tables})
    assert [len(statement.looks) for statement in made] == [40, 40, 15]
    assert made[0].sql.count("UNION ALL") == 39


def test_the_largest_come_first_and_what_waits_for_the_indexes_last() -> None:
    order = asked(rows(SMALL), key(SMALL), query(SMALL), rows(LARGE), key(LARGE), rows(LARGER), query(None))
    assert order == [[6], [5], [3], [0], [1], [4], [2]]


def test_an_index_is_read_only_for_a_key_that_it_is_of() -> None:
    made = statements([key(LARGE), key(LARGE, "x"), key(LARGER), key(SMALL)], SHAPES)
    in_order = {number: look.in_order for one in made for look in one.looks for number in look.counts}
    assert in_order == {0: True, 1: False, 2: False, 3: False}
    assert {one.by_index for one in made if 0 not in one.numbers} == {False}


def test_without_proof_everything_is_read_from_the_tables() -> None:
    for one in statements([key(LARGE), query(SMALL)], SHAPES):
        assert one.by_index
        assert one.settings["enable_indexonlyscan"] == "on"
        assert one.without_indexes().settings == FROM_TABLES
    assert FROM_TABLES["enable_indexscan"] == "off"
    assert FROM_TABLES["enable_seqscan"] == "on"


def test_a_statement_comes_apart_to_single_questions() -> None:
    (together,) = statements([rows(SMALL), rule(SMALL), rows(LARGE)], dict.fromkeys(SHAPES, TableShape(1)))
    tables = together.apart()
    assert [one.numbers for one in tables] == [[0, 1], [2]]
    assert [one.numbers for one in tables[0].apart()] == [[0], [1]]
    assert tables[0].apart()[0].apart() == []


def test_what_the_catalogs_answered_is_not_asked() -> None:
    agreed = Expectation("x", "y", "", ExpectationKind.AGREED, differences=("one",))
    assert asked(agreed, replace(agreed, kind=ExpectationKind.NOT_CHECKED)) == []


def test_examples() -> None:
    assert examples_query(rule(SMALL)) == 'SELECT c."id" FROM "public"."small" c WHERE c.x < 0\nLIMIT 10'
    assert examples_query(query(SMALL)) == "SELECT * FROM (SELECT 1 AS rows_found FROM x\n) found LIMIT 10"
    assert examples_query(key(SMALL)) == (
        'SELECT "id" FROM "public"."small" WHERE "id" IS NOT NULL GROUP BY "id" HAVING count(*) > 1 LIMIT 10'
    )
    assert examples_query(rows(SMALL)) == ""


@pytest.mark.parametrize(
    "error",
    [
        "QueryCanceled",
        "LockNotAvailable",
        "InsufficientPrivilege",
        "UndefinedTable",
        "UndefinedFunction",
        "DiskFull",
        "OutOfMemory",
        "TooManyConnections",
        "AdminShutdown",
        "CrashShutdown",
        "ConnectionFailure",
        "SyntaxError",
    ],
)
def test_what_says_nothing_of_the_data_is_no_damage(error: str) -> None:
    assert not unseen(getattr(psycopg.errors, error)("it was so")).damage


@pytest.mark.parametrize(
    "error",
    ["DataCorrupted", "IndexCorrupted", "InternalError_", "IoError", "UndefinedFile", "CharacterNotInRepertoire"],
)
def test_what_damage_looks_like(error: str) -> None:
    of_a_value = error == "CharacterNotInRepertoire"
    seen = Seen(problem="it was so", damage=True, of_a_value=of_a_value)
    assert unseen(getattr(psycopg.errors, error)("it was\nso")) == seen


def test_a_connection_that_was_lost_is_no_damage() -> None:
    assert not unseen(psycopg.OperationalError("server closed the connection unexpectedly")).damage
