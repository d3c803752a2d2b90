"""ClickView's own rules: what must be true in its tables, beyond what the catalog of the database says by itself.

A rule applies where its tables and columns are, and of the type it knows; which were left out is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from checks.clickview_tables import KEYS, RELATIONS, TABLES, UPDATED
from checks.expectation import UNIQUE_KEYS, identity, no_rows, not_checked, orphans, rows_meet, without_repeats
from recovery.catalog import Catalog, ForeignKey, TableName
from recovery.expectation import Expectation, ExpectationKind

# What a rule takes for one: bytes cannot be trimmed, and a moment without a zone cannot be compared with now.
_FAMILIES = {"character varying": "text", "character": "text", "timestamp with time zone": "moment"}

# (sentence, what is expected, table, columns and what they must be, condition of a row that breaks it)
RULES: tuple[tuple[str, str, str, dict[str, str], str], ...] = (
    (
        "every workspace has its ClickUp API key",
        "no workspace with an empty encrypted_api_key",
        "workspaces",
        {"encrypted_api_key": "text"},
        "btrim(c.encrypted_api_key) = ''",
    ),
    (
        "every ClickUp API key can be decrypted",
        "no workspace with an empty api_key_iv",
        "workspaces",
        {"api_key_iv": "text"},
        "btrim(c.api_key_iv) = ''",
    ),
    (
        "every API key can be recognized",
        "no API key with an empty hash",
        "api_keys",
        {"key_hash": "text"},
        "btrim(c.key_hash) = ''",
    ),
    (
        "every user has a mail address",
        "no user without an address, but those who were deleted",
        "users",
        {"email": "text", "deleted_at": "moment"},
        "c.email NOT LIKE '%@%' AND c.deleted_at IS NULL",
    ),
    (
        "sessions end after they begin",
        "expires_at not before created_at",
        "user_sessions",
        {"expires_at": "moment", "created_at": "moment"},
        "c.expires_at < c.created_at AND isfinite(c.expires_at) AND isfinite(c.created_at)",
    ),
    (
        "cached data expires after it was fetched",
        "expires_at not before created_at",
        "cached_data",
        {"expires_at": "moment", "created_at": "moment"},
        "c.expires_at < c.created_at AND isfinite(c.expires_at) AND isfinite(c.created_at)",
    ),
    *(
        (
            f"{table}: no row was updated before it was created",
            "updated_at not before created_at",
            table,
            {"updated_at": "moment", "created_at": "moment"},
            "c.updated_at < c.created_at AND isfinite(c.updated_at) AND isfinite(c.created_at)",
        )
        for table in UPDATED
    ),
)

# Never password hashes, tokens, API keys or addresses: examples are read by many.
_SHOWN = ("expires_at", "created_at", "updated_at")


class _Need(NamedTuple):
    """A column that a rule cannot do without. `family` is empty when any type will do."""

    table: str
    column: str
    family: str = ""


_Rule = tuple[tuple[_Need, ...], Expectation]


def clickview_suite(catalog: Catalog) -> tuple[Expectation, ...]:
    """ClickView's rules that apply to this database; the last one says which do not, and why."""
    applied: list[Expectation] = []
    left_out: dict[str, list[str]] = {}
    rules = (*_rules(catalog), _sessions_of_removed_users(catalog), *_relations(catalog), *_keys(catalog))
    for needs, expectation in rules:
        if why := _why_left_out(catalog, needs):
            left_out.setdefault(why, []).append(expectation.name)
        else:
            applied.append(expectation)
    return without_repeats([*applied, *_said(catalog, left_out)])


def _rules(catalog: Catalog) -> Iterator[_Rule]:
    for sentence, expected, table, columns, condition in RULES:
        name = TableName("public", table)
        shown = [*identity(catalog, name), *(f"c.{column}" for column in columns if column in _SHOWN)]
        needs = tuple(_Need(table, column, family) for column, family in columns.items())
        only = catalog.only(name)
        yield needs, rows_meet("ClickView", sentence, expected, name, condition, shown=shown, only=only)


def _sessions_of_removed_users(catalog: Catalog) -> _Rule:
    users, sessions = TableName("public", "users"), TableName("public", "user_sessions")
    condition = (
        "c.expires_at > now() AND c.revoked_at IS NULL AND c.is_active IS NOT FALSE"
        f" AND EXISTS (SELECT 1 FROM {catalog.source(users)} u"
        " WHERE u.id = c.user_id AND (u.deleted_at <= now() OR u.is_active IS FALSE))"
    )
    needs = (
        *(_Need("users", column, family) for column, family in (("deleted_at", "moment"), ("is_active", "boolean"))),
        *(_Need("user_sessions", column, "moment") for column in ("expires_at", "revoked_at")),
        _Need("user_sessions", "is_active", "boolean"),
        *_same(catalog, "user_sessions", "user_id", "users"),
    )
    shown = [*identity(catalog, sessions), 'c."user_id"']
    sentence = "no session of a user who was removed is still open"
    expected = "no open session of a removed user"
    only = catalog.only(sessions)
    return needs, rows_meet("ClickView", sentence, expected, sessions, condition, shown=shown, only=only)


def _relations(catalog: Catalog) -> Iterator[_Rule]:
    """For foreign keys that were lost: those that are there are looked at as the catalog says them."""
    there = {(key.table, key.columns, key.parent) for key in catalog.foreign_keys}
    for sentence, table, column, parent in RELATIONS:
        child, other = TableName("public", table), TableName("public", parent)
        if (child, (column,), other) not in there:
            query = orphans(catalog, ForeignKey("", child, (column,), other, ("id",)))
            expected = f"every {table}.{column} is a row of {parent}"
            needs = _same(catalog, table, column, parent)
            yield needs, no_rows("ClickView", sentence, expected, query, table=child)


def _keys(catalog: Catalog) -> Iterator[_Rule]:
    """For unique indexes that were lost: those that are there are looked at as the catalog says them."""
    there = {(key.table, frozenset(key.columns)) for key in catalog.unique_keys}
    for table, columns in KEYS:
        name, shown = TableName("public", table), ", ".join(columns)
        if (name, frozenset(columns)) not in there:
            sentence, expected = f"{table}: {shown} is unique", f"no two rows share {shown}"
            kind, only = ExpectationKind.UNIQUE, catalog.only(name)
            needs = tuple(_Need(table, column) for column in columns)
            yield needs, Expectation(UNIQUE_KEYS, sentence, expected, kind, name, columns, only=only)


def _same(catalog: Catalog, table: str, column: str, parent: str) -> tuple[_Need, ...]:
    """That a column is there and can be compared with its parent's key."""
    return (_Need(parent, "id"), _Need(table, column, _family(catalog, parent, "id") or ""))


def _why_left_out(catalog: Catalog, needs: Iterable[_Need]) -> str | None:
    for need in needs:
        if catalog.table(TableName("public", need.table)) is None:
            return f"no table {need.table}"
        family = _family(catalog, need.table, need.column)
        if family is None:
            return f"no column {need.table}.{need.column}"
        if need.family and family != need.family:
            return f"{need.table}.{need.column} is of another type"
    return None


def _family(catalog: Catalog, table: str, column: str) -> str | None:
    """What kind of thing a column holds; None when there is no such column."""
    found = catalog.table(TableName("public", table))
    types = {one.name: one.kind for one in found.columns} if found else {}
    return _FAMILIES.get(types[column], types[column]) if column in types else None


def _said(catalog: Catalog, left_out: dict[str, list[str]]) -> Iterator[Expectation]:
    if not left_out:
        return
    if any(catalog.table(TableName("public", table)) for table in TABLES):
        why = "; ".join(f"{reason}: {', '.join(names)}" for reason, names in left_out.items())
    else:
        why = "the database has none of ClickView's tables"
    yield not_checked("ClickView", "rules that were left out", why)
