"""ClickView's own rules: they are about the real tables, apply where these are, and say what they left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checks.clickview import RULES, clickview_suite
from checks.clickview_tables import KEYS, RELATIONS, TABLES, UPDATED
from recovery.catalog import Catalog, Column, ForeignKey, Table, TableName, UniqueKey
from recovery.expectation import Expectation, ExpectationKind

REAL = json.loads((Path(__file__).parents[1] / "clickview_schema.json").read_text())
LEFT_OUT = "rules that were left out"


def name(table: str) -> TableName:
    return TableName("public", table)


def column(table: str, one: str) -> Column:
    real = REAL[table]["columns"][one]
    return Column(one, real.removesuffix(" null").partition("(")[0], not real.endswith(" null"))


def foreign_keys() -> Iterator[ForeignKey]:
    for table, real in REAL.items():
        for key in real.get("foreign_keys", []):
            own, _, parent, *_ = key.split()
            yield ForeignKey(f"{table}_{own}_fkey", name(table), (own,), name(parent), ("id",))


def unique_keys() -> Iterator[UniqueKey]:
    for table, real in REAL.items():
        for columns in ("id", *real.get("unique", [])):
            yield UniqueKey(f"{table}_key", name(table), tuple(columns.split(",")))


WHOLE = Catalog(
    "clickview",
    150000,
    in_recovery=False,
    superuser=True,
    tables=tuple(
        Table(name(table), tuple(column(table, one) for one in real["columns"])) for table, real in REAL.items()
    ),
    foreign_keys=tuple(foreign_keys()),
    unique_keys=tuple(unique_keys()),
)
BARE = replace(WHOLE, foreign_keys=(), unique_keys=())


def without(table: str, *columns: str, catalog: Catalog = WHOLE) -> Catalog:
    """The same database without a table and its keys, or without some columns of it."""
    if columns:
        return changed(catalog, table, lambda one: None if one.name in columns else one)
    gone = name(table)
    return replace(
        catalog,
        tables=tuple(one for one in catalog.tables if one.name != gone),
        foreign_keys=tuple(key for key in catalog.foreign_keys if gone not in (key.table, key.parent)),
        unique_keys=tuple(key for key in catalog.unique_keys if key.table != gone),
    )


def with_type(table: str, one: str, type_name: str) -> Catalog:
    return changed(WHOLE, table, lambda column: replace(column, type_name=type_name) if column.name == one else column)


def changed(catalog: Catalog, table: str, change: Callable[[Column], Column | None]) -> Catalog:
    """The same database with other columns in one table."""
    tables = list(catalog.tables)
    (number,) = (number for number, one in enumerate(tables) if one.name == name(table))
    columns = (change(column) for column in tables[number].columns)
    tables[number] = replace(tables[number], columns=tuple(column for column in columns if column))
    return replace(catalog, tables=tuple(tables))


def suite(catalog: Catalog) -> dict[str, Expectation]:
    return {one.name: one for one in clickview_suite(catalog)}


def test_the_rules_are_about_the_real_tables() -> None:
    assert set(TABLES) == set(REAL)
    for _, table, column_name, parent in RELATIONS:
        assert any(key.startswith(f"{column_name} -> {parent} on ") for key in REAL[table]["foreign_keys"])
    for table, columns in KEYS:
        assert columns == ("id",) or ",".join(columns) in REAL[table]["unique"]
    for _, _, table, columns_and_kinds, _ in RULES:
        assert set(columns_and_kinds) <= set(REAL[table]["columns"])


def test_every_unique_constraint_of_the_real_tables_is_a_key() -> None:
    assert {(table, columns) for table, columns in KEYS if columns != ("id",)} == {
        (table, tuple(columns.split(","))) for table, real in REAL.items() for columns in real.get("unique", [])
    }


def test_both_moments_of_an_update_have_a_time_zone() -> None:
    zoned = [
        table
        for table, real in REAL.items()
        if all(
            real["columns"].get(one, "").startswith("timestamp with time zone") for one in ("created_at", "updated_at")
        )
    ]
    assert sorted(UPDATED) == sorted(zoned)


def test_on_the_real_tables_nothing_is_left_out() -> None:
    for catalog in (WHOLE, BARE):
        assert all(one.kind is not ExpectationKind.NOT_CHECKED for one in clickview_suite(catalog))


def test_keys_that_are_there_are_left_to_the_catalog() -> None:
    assert {one.suite for one in clickview_suite(WHOLE)} == {"ClickView"}
    assert len(clickview_suite(WHOLE)) == len(RULES) + 1
    assert len(clickview_suite(BARE)) == len(RULES) + 1 + len(RELATIONS) + len(KEYS)


def test_a_foreign_key_that_was_lost_is_looked_after() -> None:
    lost = replace(WHOLE, foreign_keys=tuple(key for key in WHOLE.foreign_keys if key.table != name("widgets")))
    (sentence,) = suite(lost).keys() - suite(WHOLE).keys()
    assert sentence == "every widget belongs to a dashboard"
    assert 'FROM "public"."dashboards" p WHERE p."id" = c."dashboard_id"' in suite(lost)[sentence].query


def test_a_unique_index_that_was_lost_is_looked_after() -> None:
    lost = replace(WHOLE, unique_keys=tuple(key for key in WHOLE.unique_keys if key.columns != ("user_id", "team_id")))
    assert suite(lost).keys() == suite(WHOLE).keys()
    lost = replace(WHOLE, unique_keys=tuple(key for key in WHOLE.unique_keys if key.columns != ("team_id", "user_id")))
    assert suite(lost).keys() - suite(WHOLE).keys() == {"team_members: team_id, user_id is unique"}


def test_a_missing_table_is_said_with_its_rules() -> None:
    told = suite(without("filter_presets"))[LEFT_OUT]
    assert told.kind is ExpectationKind.NOT_CHECKED
    assert told.expected == (
        "no table filter_presets: filter_presets: no row was updated before it was created,"
        " every filter preset belongs to a workspace, filter_presets: id is unique"
    )


def test_a_missing_parent_leaves_out_what_points_at_it() -> None:
    told = suite(without("teams", catalog=BARE))[LEFT_OUT].expected
    assert told.startswith("no table teams: every team belongs to a workspace, every team member has a team, ")


def test_a_missing_column_is_said_with_its_rules() -> None:
    made = suite(without("users", "deleted_at"))
    assert made[LEFT_OUT].expected == (
        "no column users.deleted_at: every user has a mail address, no session of a user who was removed is still open"
    )
    assert made.keys() == (suite(WHOLE).keys() - {"every user has a mail address"}) - {
        "no session of a user who was removed is still open"
    } | {LEFT_OUT}


@pytest.mark.parametrize(
    ("table", "one", "type_name", "rule"),
    [
        ("workspaces", "encrypted_api_key", "bytea", "every workspace has its ClickUp API key"),
        ("user_sessions", "expires_at", "timestamp without time zone", "sessions end after they begin"),
        ("users", "is_active", "integer", "no session of a user who was removed is still open"),
        ("users", "id", "bigint", "no session of a user who was removed is still open"),
    ],
)
def test_a_column_of_another_type_is_said_with_its_rules(table: str, one: str, type_name: str, rule: str) -> None:
    made = suite(with_type(table, one, type_name))
    assert rule not in made
    assert rule in made[LEFT_OUT].expected
    assert " is of another type: " in made[LEFT_OUT].expected


def test_two_reasons_are_said_one_after_the_other() -> None:
    told = suite(without("api_keys", catalog=without("workspaces", "api_key_iv")))[LEFT_OUT].expected
    assert told == (
        "no column workspaces.api_key_iv: every ClickUp API key can be decrypted;"
        " no table api_keys: every API key can be recognized, every API key belongs to a user, api_keys: id is unique,"
        " api_keys: key_hash is unique"
    )


def test_a_database_of_something_else_is_said_in_one_sentence() -> None:
    other = replace(WHOLE, tables=(Table(name("invoices"), ()),), foreign_keys=(), unique_keys=())
    (one,) = clickview_suite(other)
    assert (one.name, one.kind) == (LEFT_OUT, ExpectationKind.NOT_CHECKED)
    assert one.expected == "the database has none of ClickView's tables"


def test_no_rule_shows_a_secret() -> None:
    for one in clickview_suite(BARE):
        assert not any(word in one.query.split(" FROM ")[0] for word in ("api_key", "hash", "email", "token"))
