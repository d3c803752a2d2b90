"""How the suites say what they expect: one maker per kind of expectation."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from recovery.catalog import Catalog, ForeignKey, TableName, quoted
from recovery.expectation import Expectation, ExpectationKind

FOREIGN_KEYS, UNIQUE_KEYS, FRESHNESS = "foreign keys", "unique keys", "freshness"  # suites that are told apart

_EXAMPLES = 10


def no_rows(suite: str, name: str, expected: str, query: str, *, table: TableName | None = None) -> Expectation:
    """Expect that a query finds nothing."""
    return Expectation(suite, name, expected, ExpectationKind.NO_ROWS, table=table, query=query)


def rows_meet(
    suite: str, name: str, expected: str, table: TableName, breaks: str, *, shown: Iterable[str], only: bool = False
) -> Expectation:
    """Expect that no row of a table (as `c`) is one for which this SQL is true; all such share one scan."""
    columns, kind = tuple(dict.fromkeys(shown)), ExpectationKind.ROWS_MEET
    return Expectation(suite, name, expected, kind, table=table, breaks=breaks, shown=columns, only=only)


def agreed(suite: str, name: str, expected: str, differences: Iterable[str]) -> Expectation:
    """Expect that two catalogs agree; where they do not is already known."""
    return Expectation(suite, name, expected, ExpectationKind.AGREED, differences=tuple(differences))


def not_checked(suite: str, name: str, why: str) -> Expectation:
    """Say that nobody looks, and why."""
    return Expectation(suite, name, why, ExpectationKind.NOT_CHECKED)


def orphans(catalog: Catalog, key: ForeignKey) -> str:
    """A query for rows that point at a parent that is not there: how many in all, and some of them."""
    own = [f"c.{quoted(column)}" for column in key.columns]
    shown = ", ".join(["count(*) OVER () AS rows_found", *dict.fromkeys([*identity(catalog, key.table), *own])])
    theirs = [f"p.{quoted(column)}" for column in key.parent_columns]
    same = " AND ".join(" ".join(pair) for pair in zip(theirs, _equals(key), own, strict=True))
    filled = " AND ".join(f"{ours} IS NOT NULL" for ours in own)
    parents = f"SELECT 1 FROM {catalog.source(key.parent)} p WHERE {same}"
    return (
        f"SELECT {shown} FROM {catalog.source(key.table)} c WHERE {filled} AND NOT EXISTS ({parents}) LIMIT {_EXAMPLES}"
    )


def _equals(key: ForeignKey) -> list[str]:
    """The key's own operators: what a plain = means hangs on the search path, and may be the equality of texts."""
    return [f"OPERATOR({one})" for one in key.operators] or ["="] * len(key.columns)


def identity(catalog: Catalog, name: TableName) -> list[str]:
    """What tells a person which row it is: its key, else its place in the file."""
    table = catalog.table(name)
    return ['c."id"'] if table is not None and table.has("id") else ["c.ctid::text"]


def literal(text: str) -> str:
    """A text as SQL takes it literally."""
    return "'" + text.replace("'", "''") + "'"


def in_utc(value: datetime) -> str:
    """A moment to the microsecond, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def moment(value: datetime) -> str:
    """A moment as SQL takes it."""
    return f"TIMESTAMPTZ '{in_utc(value)}+00'"


def same_thing(one: Expectation) -> tuple[object, ...]:
    """What an expectation looks at, whatever it is called."""
    looked_at = (one.kind, one.table, one.columns, one.query, one.breaks, one.minimum, one.maximum)
    by_name = one.kind in (ExpectationKind.NOT_CHECKED, ExpectationKind.AGREED)
    return (*looked_at, one.name) if by_name else looked_at


def without_repeats(expectations: Iterable[Expectation]) -> tuple[Expectation, ...]:
    """Each thing is looked at once, under the first name it was given; what is tolerated of one gives way to one that is not."""
    kept: dict[tuple[object, ...], Expectation] = {}
    for one in expectations:
        before = kept.setdefault(same_thing(one), one)
        if before.known and not one.known:
            kept[same_thing(one)] = one
    return tuple(kept.values())
