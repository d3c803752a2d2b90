"""What every restored database must show, made from its own catalog and from what the backup recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from checks.as_recorded import Source, as_recorded, known_to_be_behind, known_to_be_invalid, not_looked_for
from checks.clickview import clickview_suite
from checks.expectation import (
    FOREIGN_KEYS,
    FRESHNESS,
    UNIQUE_KEYS,
    agreed,
    identity,
    in_utc,
    literal,
    moment,
    no_rows,
    not_checked,
    orphans,
    rows_meet,
    without_repeats,
)
from recovery.catalog import Catalog, CheckConstraint, Column, Table, TableName, UniqueKey, quoted, spoken
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import TableCount

_MOMENT, _NO_MOMENT = "timestamp with time zone", "timestamp without time zone"
_ENDLESS = "infinity is no moment, so these rows are compared with nothing"
_ZONELESS = "the column has no time zone, so its moments cannot be compared"
_CLOCKS = timedelta(minutes=1)  # how far the application's clocks may be from the database's
_REACHES = "the data reaches up to the recovery target"
_STOOD_STILL = (
    "the copy stands at its target all the same, as its log says: `recover site heartbeat` or the server had stopped"
)
_LONGEST_NAME = 40  # of a column that is an expression; PostgreSQL cuts at 63 bytes

HEARTBEAT = TableName("clickview_recovery", "heartbeat")

# PostgreSQL did not promise it at the source either: only rows that came after the key were looked at.
NOT_VALID = "the key is NOT VALID, so it was never promised for older rows"

# Since PostgreSQL 18.
PERIOD = "the key has a PERIOD, which several rows may cover together: equality does not show it"

# That it is invalid is said of the index itself, and whether that is news.
INVALID = "the index is invalid, so it keeps nobody from writing a second one"

_COLLATIONS = """
SELECT * FROM (
    SELECT DISTINCT format('collation %s.%s', n.nspname, l.collname) AS what, l.collversion AS recorded,
           pg_collation_actual_version(l.oid) AS here
    FROM pg_catalog.pg_index x CROSS JOIN unnest(x.indcollation::oid[]) used(oid)
    JOIN pg_catalog.pg_collation l ON l.oid = used.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
    WHERE l.collversion IS NOT NULL
{database}) versions WHERE recorded IS DISTINCT FROM here
"""

# A database says the version of its own collation since PostgreSQL 15.
_DATABASE_COLLATION = """
    UNION ALL SELECT 'database ' || d.datname, d.datcollversion, pg_database_collation_actual_version(d.oid)
    FROM pg_catalog.pg_database d WHERE d.datname = current_database()
"""


@dataclass(frozen=True)
class Freshness:
    """Between which moments the newest data must lie. None: that side is open."""

    not_before: datetime | None
    not_after: datetime | None
    skew: timedelta = timedelta(0)


def freshness(
    target: datetime | None, recorded_at: datetime | None, *, now: datetime, oldest: timedelta, live: bool
) -> Freshness:
    """How new the data must be: around the recovery target; of a live site around now.

    A copy without a target in time is at least as new as what its backup recorded.
    """
    if target is not None:
        return Freshness(target - oldest, target, skew=_CLOCKS)
    if live:  # rows are written while the checks run
        return Freshness(now - oldest, now, skew=timedelta(minutes=30))
    return Freshness(recorded_at - oldest if recorded_at else None, now, skew=timedelta(minutes=1))


def source_rules(catalog: Catalog, now: datetime) -> tuple[Expectation, ...]:
    """The rules about single rows that the source is asked about, too: what breaks them there is no news in a copy."""
    made = [
        *clickview_suite(catalog),
        *_newest(catalog, now + _CLOCKS),
        *_constraints(catalog),
        *_unvalidated(catalog),
    ]
    return tuple(one for one in made if one.kind is ExpectationKind.ROWS_MEET)


def restored_data_suite(catalog: Catalog, source: Source, fresh: Freshness) -> tuple[Expectation, ...]:
    """All that is expected of a restored database, whatever it holds."""
    return without_repeats(
        [
            *as_recorded(catalog, source),
            *_row_counts(catalog, source),
            *_foreign_keys(catalog),
            *_unique_keys(catalog),
            *_constraints(catalog),
            *_unvalidated(catalog),
            *_indexes(catalog, source),
            *_sequences(catalog, source),
            *_freshness(catalog, source, fresh),
        ]
    )


def _row_counts(catalog: Catalog, source: Source) -> Iterator[Expectation]:
    if source.recorded is None:
        yield not_checked("rows", "row counts as recorded", "no row counts were recorded for this database")
        return
    for table in source.recorded.uncounted:
        yield not_checked("rows", f"{table} has its rows", "they could not be counted when the backup was taken")
    for count in source.recorded.counts:
        if catalog.table(count.table) is not None:  # a table that is missing is named as such
            one = _row_count(count, exact=source.exact, tolerance=source.tolerance)
            # Counted as it was counted then.
            yield replace(one, only=count.own and catalog.only(count.table))


def _row_count(count: TableCount, *, exact: bool, tolerance: float) -> Expectation:
    least = count.rows if exact else math.ceil(count.rows * (1 - tolerance))
    if count.rows:
        least = max(1, least)  # a table that was emptied is told of, whatever the tolerance
    expected = f"exactly {count.rows:,} rows" if exact else f"at least {least:,} of {count.rows:,} rows recorded"
    return Expectation(
        "rows",
        f"{count.table} has its rows",
        expected,
        ExpectationKind.ROW_COUNT,
        table=count.table,
        minimum=least,
        maximum=count.rows if exact else None,
        known="" if exact else f"{count.rows:,} when the backup was taken: deleted since, or lost",
    )


def _foreign_keys(catalog: Catalog) -> Iterator[Expectation]:
    for key in catalog.foreign_keys:
        name = f"{key.table}.{'+'.join(map(spoken, key.columns))} points at a row of {key.parent}"
        if key.period:
            yield not_checked(FOREIGN_KEYS, name, PERIOD)
            continue
        expected = f"every one is a row of {key.parent} ({spoken(key.name)})"
        one = no_rows(FOREIGN_KEYS, name, expected, orphans(catalog, key), table=key.table)
        yield one if key.validated else replace(one, known=NOT_VALID)


def _unique_keys(catalog: Catalog) -> Iterator[Expectation]:
    for key in catalog.unique_keys:
        name, expected = f"{key.table}: {spoken(key.name)} is unique", f"no two rows share {', '.join(key.terms)}"
        if key.columns and key.nulls_distinct:
            one = Expectation(UNIQUE_KEYS, name, expected, ExpectationKind.UNIQUE, key.table, columns=key.columns)
            one = replace(one, only=catalog.only(key.table))
        else:
            one = no_rows(UNIQUE_KEYS, name, expected, _duplicates(catalog, key), table=key.table)
        yield one if key.valid else replace(one, known=INVALID)


def _duplicates(catalog: Catalog, key: UniqueKey) -> str:
    terms = [f"({term})" for term in key.terms]
    conditions = [f"({key.predicate})"] if key.predicate else []
    if key.nulls_distinct:
        conditions += [f"{term} IS NOT NULL" for term in terms]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # Under its own name: by that a secret is known and masked.
    listed = ", ".join(f"{term} AS {quoted(term[:_LONGEST_NAME])}" for term in terms)
    return (
        f"SELECT count(*) OVER () AS rows_found, {listed}, count(*) AS times FROM {catalog.source(key.table)}{where}"
        f" GROUP BY {', '.join(terms)} HAVING count(*) > 1 LIMIT 10"
    )


def _constraints(catalog: Catalog) -> Iterator[Expectation]:
    """One rule for all columns of a table that are never null (an example says which is), and one for each condition."""
    for table in catalog.tables:
        nulls = [(one.name, _is_null(one)) for one in table.columns if one.not_null and one.validated]
        if nulls:
            names = "CASE " + " ".join(f"WHEN {sql} THEN {literal(name)}" for name, sql in nulls) + " END AS column"
            yield rows_meet(
                "constraints",
                f"{table.name}: not-null constraints hold",
                f"no NULL in {len(nulls)} columns",
                table.name,
                " OR ".join(sql for _, sql in nulls),
                shown=[names, *identity(catalog, table.name)],
                only=table.only,
            )
    for check in catalog.check_constraints:
        if check.validated:
            yield _condition(catalog, check)


def _condition(catalog: Catalog, check: CheckConstraint) -> Expectation:
    name, expected = f"{check.table}: {spoken(check.name)} holds", f"every row meets {check.condition}"
    breaks, only = f"({check.condition}) IS FALSE", catalog.only(check.table)
    shown = identity(catalog, check.table)
    return rows_meet("constraints", name, expected, check.table, breaks, shown=shown, only=only)


def _is_null(column: Column) -> str:
    # A planner that trusts the catalog may answer `x IS NULL` without looking.
    return f"num_nulls(c.{quoted(column.name)}) > 0"


def _unvalidated(catalog: Catalog) -> Iterator[Expectation]:
    """Conditions that were never promised for older rows: each a rule of its own, and no news when it is broken."""
    for key in catalog.check_constraints:
        if not key.validated:
            breaks = f"({key.condition}) IS FALSE"
            yield _not_promised(catalog, key.table, spoken(key.name), f"every row meets {key.condition}", breaks)
    for table in catalog.tables:
        for column in table.columns:
            if column.not_null and not column.validated:
                yield _not_promised(catalog, table.name, f"{spoken(column.name)} not null", "no NULL", _is_null(column))


def _not_promised(catalog: Catalog, table: TableName, what: str, expected: str, breaks: str) -> Expectation:
    shown, only = identity(catalog, table), catalog.only(table)
    one = rows_meet("constraints", f"{table}: {what} holds", expected, table, breaks, shown=shown, only=only)
    return replace(one, known=NOT_VALID)


def _indexes(catalog: Catalog, source: Source) -> Iterator[Expectation]:
    invalid = [one for one in catalog.indexes if not one.valid]
    news = [one for one in invalid if not known_to_be_invalid(one, source)]
    yield agreed(
        "indexes", "all indexes are valid and ready", "no invalid index", [f"{one.name} of {one.table}" for one in news]
    )
    for one in invalid:
        if known := known_to_be_invalid(one, source):
            told = agreed(
                "indexes", f"{one.name} is valid and ready", "no invalid index", [f"{one.name} of {one.table}"]
            )
            yield replace(told, known=known)
    yield from _collations(catalog, source)


def stale_collations(catalog: Catalog) -> str:
    """A query for the collations by which the operating system sorts otherwise than it did when indexes were built."""
    return _COLLATIONS.format(database=_DATABASE_COLLATION if catalog.server_version >= 150000 else "").strip()


def _collations(catalog: Catalog, source: Source) -> Iterator[Expectation]:
    """Whether the indexes suffer from it, amcheck says: it reads them all."""
    expected = "the operating system sorts as it did when the indexes were built"
    at_source = source.recorded.stale_collations if source.recorded else None
    query, listed = stale_collations(catalog), ", ".join(map(literal, at_source or ()))
    news = f"{query} AND what NOT IN ({listed})" if listed else query
    one = no_rows("indexes", "collation versions are those recorded", expected, news)
    yield replace(one, known=not_looked_for(source)) if at_source is None else one
    if listed:
        old = no_rows("indexes", "collation versions are current", expected, f"{query} AND what IN ({listed})")
        yield replace(old, known="it was so when the backup was taken; ALTER DATABASE … REFRESH COLLATION VERSION")


def _sequences(catalog: Catalog, source: Source) -> Iterator[Expectation]:
    for sequence in catalog.sequences:
        column, last = f"c.{quoted(sequence.column)}", f"SELECT s.last_value FROM {sequence.name.sql} s"
        ahead = rows_meet(
            "sequences",
            f"{sequence.name} is ahead of {sequence.table}.{spoken(sequence.column)}",
            "the next value is free",
            sequence.table,
            f"({column} > ({last}) OR {column} = ({last} WHERE NOT s.is_called))",
            shown=[column, f"({last}) AS last_value"],
        )
        # Not ONLY: tables that inherit the column inherit its default, and take their numbers from the same sequence.
        yield replace(ahead, known=known_to_be_behind(sequence.name, source))


def _freshness(catalog: Catalog, source: Source, fresh: Freshness) -> Iterator[Expectation]:
    yield from _newest(catalog, fresh.not_after + fresh.skew if fresh.not_after else None)
    beats = catalog.has(HEARTBEAT, "at")
    if fresh.not_before is None or not beats:
        why = "no moment to compare with" if beats else "no heartbeat table (run: recover site prepare --apply)"
        yield not_checked(FRESHNESS, _REACHES, why)
    elif source.proven:
        # Where it stands is known from its log; a heartbeat that stood still was the site's, unless the record's is newer.
        recorded = source.recorded.heartbeat_at if source.recorded and source.later else None
        yield _heartbeat(catalog, _REACHES, recorded)
        yield replace(
            _heartbeat(catalog, "the heartbeat went on up to the recovery target", fresh.not_before), known=_STOOD_STILL
        )
    else:
        yield _heartbeat(catalog, _REACHES, fresh.not_before)


def newest_heartbeat(catalog: Catalog) -> str:
    """A query for the newest heartbeat, where there are any: one row."""
    return f"SELECT max(at) AS newest_heartbeat FROM {catalog.source(HEARTBEAT)}"


def _heartbeat(catalog: Catalog, sentence: str, not_before: datetime | None) -> Expectation:
    expected = f"a heartbeat not older than {in_utc(not_before)} UTC" if not_before else "a heartbeat"
    older = f" OR newest_heartbeat < {moment(not_before)}" if not_before else ""
    query = f"SELECT * FROM ({newest_heartbeat(catalog)}) n WHERE newest_heartbeat IS NULL{older}"
    return no_rows(FRESHNESS, sentence, expected, query, table=HEARTBEAT)


def _newest(catalog: Catalog, limit: datetime | None) -> Iterator[Expectation]:
    """Nothing is newer than it can be; a moment that cannot be compared is said."""
    dated = [(table.name, "created_at") for table in catalog.tables if _type(table, "created_at") == _MOMENT]
    if catalog.has(HEARTBEAT, "at"):
        dated.append((HEARTBEAT, "at"))
    for name, column in dated:
        value, only = f"c.{quoted(column)}", catalog.only(name)
        shown = [*identity(catalog, name), value]
        if limit is not None:
            expected = f"no row from after {in_utc(limit)} UTC"
            newer = f"({value} > {moment(limit)} AND isfinite({value}))"
            sentence = f"{name}: nothing is newer than the recovery target"
            yield rows_meet(FRESHNESS, sentence, expected, name, newer, shown=shown, only=only)
        sentence, expected = f"{name}: every {column} is a moment", "no row from infinity"
        endless = f"(NOT isfinite({value}))"
        one = rows_meet(FRESHNESS, sentence, expected, name, endless, shown=shown, only=only)
        yield replace(one, known=_ENDLESS)
    without_zone = [str(table.name) for table in catalog.tables if _type(table, "created_at") == _NO_MOMENT]
    if without_zone:
        sentence, expected = "every created_at has a time zone", "timestamp with time zone"
        yield replace(agreed(FRESHNESS, sentence, expected, without_zone), known=_ZONELESS)


def _type(table: Table, column: str) -> str:
    return next((c.kind for c in table.columns if c.name == column), "")
