"""Is the copy what the source was? What was recorded with the backup, held against what the copy says of itself.

Where the copy stands at just the position of the record, every difference is a failure. Anywhere else the application
has worked on between the two: a difference that the live database shows as well was made there, and is a warning; one
that it does not show is a failure. Without a live database to ask, nobody can tell, and all are warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC

from checks.clickview import clickview_suite
from checks.expectation import FOREIGN_KEYS, FRESHNESS, UNIQUE_KEYS, agreed, not_checked, same_thing
from recovery.catalog import Catalog, Index, TableName, spoken
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import RecordedFacts, UnaskedRule, Witness

_SUITE = "as recorded"
_NO_RECORD = "nobody noted whether it was so at the source"
_NOT_LOOKED = "nobody could look when the backup was taken"


@dataclass(frozen=True)
class Source:
    """What is known of the database that a copy was made from.

    `exact`: the copy stands at just the position of the record; `later`: there or after it. `tolerance`: share of the
    recorded rows that may be missing at another moment. `live`: the live database today, where it could be asked.
    `proven`: where the copy stands is known from its own log. `same_line`: the live database is on the copy's timeline,
    so what it breaks itself it may well have broken then.
    """

    recorded: RecordedFacts | None = None
    exact: bool = False
    tolerance: float = 0.5
    live: Witness | None = None
    later: bool = False
    proven: bool = False
    same_line: bool = False


_Told = Mapping[str, str]  # each object, and what it is like
_Difference = tuple[str, str]  # an object, and what became of it


@dataclass(frozen=True)
class _Part:
    """One part of a catalog, and which differences in it are told."""

    name: str
    expected: str
    told: Callable[[Catalog], _Told]
    differences: Callable[[_Told, _Told], Iterable[_Difference]]
    of_shared_tables: bool = True


def as_recorded(catalog: Catalog, known: Source) -> tuple[Expectation, ...]:
    """The catalog of the copy is that of the source."""
    recorded = known.recorded
    if recorded is None or recorded.catalog is None:
        return (not_checked(_SUITE, "the catalog is as recorded", "no catalog was recorded with this backup"),)
    source = recorded.catalog
    both = {one.name for one in source.tables} & {one.name for one in catalog.tables}
    whole, shared = (source, catalog), (_only(source, both), _only(catalog, both))
    found = [
        (part, list(part.differences(*map(part.told, shared if part.of_shared_tables else whole)))) for part in _PARTS
    ]
    when = f"since the record of {recorded.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if known.exact:
        return tuple(_agreed(part, differences) for part, differences in found)
    if known.live is None:
        lost = f"changed {when}: by the application, or lost"
        return tuple(replace(_agreed(part, differences), known=lost) for part, differences in found)
    why = f"changed {when}; so is the live database"
    before, live = _comparable(source, known.live.catalog)
    return tuple(
        one
        for part, differences in found
        for one in _explained(part, differences, part.told(before), part.told(live), why)
    )


def _explained(
    part: _Part, differences: list[_Difference], before: _Told, there: _Told, why: str
) -> Iterator[Expectation]:
    """What the live database does not show as recorded either was changed by the application; what is new was not lost.

    It may have been changed more than once since, so that the live database shows something else again.
    """
    changed = [one for one in differences if one[0] not in before or before[one[0]] != there.get(one[0])]
    lost = set(differences) - set(changed)
    yield _agreed(part, [one for one in differences if one in lost])
    if changed:
        yield replace(_agreed(part, changed), name=f"{part.name}: changed since", known=why)


def _agreed(part: _Part, differences: Iterable[_Difference]) -> Expectation:
    return agreed(_SUITE, part.name, part.expected, [f"{name} {text}" for name, text in differences])


def _comparable(source: Catalog, live: Catalog) -> tuple[Catalog, Catalog]:
    """Numbers tell a table from one of its name that was made since, unless none is as it was.

    So it is when an older version made the record, or when the whole live database was loaded anew.
    """
    before = {(one.name, one.oid) for one in source.tables if one.oid}
    if before & {(one.name, one.oid) for one in live.tables}:
        return source, live
    return _without_numbers(source), _without_numbers(live)


def _without_numbers(catalog: Catalog) -> Catalog:
    return replace(catalog, tables=tuple(replace(table, oid=0) for table in catalog.tables))


def _only(catalog: Catalog, tables: set[TableName]) -> Catalog:
    """What belongs to these tables: one that is missing or new is named once, not with all that hangs on it."""
    return replace(
        catalog,
        tables=tuple(one for one in catalog.tables if one.name in tables),
        foreign_keys=tuple(one for one in catalog.foreign_keys if {one.table, one.parent} <= tables),
        check_constraints=tuple(one for one in catalog.check_constraints if one.table in tables),
        sequences=tuple(one for one in catalog.sequences if one.table in tables),
        indexes=tuple(one for one in catalog.indexes if one.table in tables),
        policies=tuple(one for one in catalog.policies if one.table in tables),
    )


def known_to_be_behind(name: TableName, known: Source) -> str:
    """Why a sequence that is behind is no news, or nothing."""
    recorded = known.recorded
    if recorded is None or recorded.catalog is None:
        return _NO_RECORD if known.proven else ""  # of a live site it is news
    if name in recorded.behind:
        return "it was so when the backup was taken"
    if name in recorded.unseen:
        return "nobody could look at it when the backup was taken"
    if known.exact:
        return ""
    if known.live is None or name in known.live.unseen:
        return "it was not so when the backup was taken: set back since, or rows came with values of their own"
    return "it became so since the backup was taken; so is the live database" if name in known.live.behind else ""


def not_looked_for(known: Source) -> str:
    """Why what nobody saw at the source, and the copy shows, is no news, or nothing."""
    if known.recorded is not None:
        return _NOT_LOOKED
    return _NO_RECORD if known.proven else ""  # of a live site it is news


def with_what_is_known(own: Iterable[Expectation], known: Source) -> tuple[Expectation, ...]:
    """Rules about single rows, each with why it is no news that the copy breaks it."""
    recorded = known.recorded
    source = recorded.catalog if recorded else None
    # Where a rule stands in for a key that the source did not have either, nothing was lost.
    at_source = {same_thing(one) for one in clickview_suite(source)} if source else set()
    return tuple(one if one.known else _known(one, recorded, at_source, exact=known.exact) for one in own)


def _known(
    one: Expectation, recorded: RecordedFacts | None, at_source: set[tuple[object, ...]], *, exact: bool
) -> Expectation:
    if recorded and one.table and (rows := recorded.broke(one.table, one.name)):
        told = f"{rows:,} broke it when the backup was taken"
        return replace(one, known=told, known_rows=rows if exact else None)
    return replace(one, known=_unpromised(one, recorded, at_source))


def _unpromised(one: Expectation, recorded: RecordedFacts | None, at_source: set[tuple[object, ...]]) -> str:
    if recorded and one.table:
        unasked = one.kind is ExpectationKind.ROWS_MEET and one.table in recorded.uncounted
        if unasked or UnaskedRule(one.table, one.name) in recorded.unasked:
            return "nobody could ask about it when the backup was taken"
    if one.kind in (ExpectationKind.NO_ROWS, ExpectationKind.UNIQUE) and same_thing(one) in at_source:
        return "no key of the source promised it"
    return ""


def asked_of_nobody(one: Expectation, recorded: RecordedFacts | None) -> bool:
    """Whether no record says how the source stood to this: PostgreSQL had promised it, or the table is younger."""
    asked_now = one.kind in (ExpectationKind.NO_ROWS, ExpectationKind.UNIQUE, ExpectationKind.ROWS_MEET)
    if one.known or one.table is None or one.suite == FRESHNESS or not asked_now:
        return False
    noted = recorded.catalog if recorded else None
    return one.suite in (FOREIGN_KEYS, UNIQUE_KEYS) or noted is None or noted.table(one.table) is None


def known_to_be_invalid(index: Index, known: Source) -> str:
    """Why an index that is not valid is no news, or nothing."""
    source = known.recorded.catalog if known.recorded else None
    if source is None:
        return _NO_RECORD if known.proven else ""  # of a live site it is news
    if index.name not in {one.name for one in source.indexes if one.valid}:
        there = index.name in {one.name for one in source.indexes}
        return "it was so when the backup was taken" if there else "it was made after the backup's record"
    if known.exact:
        return ""
    if known.live is None:
        return "it was valid when the backup was taken: a REINDEX or a DROP was cut short since, or it is damaged"
    valid = {one.name: one.valid for one in known.live.catalog.indexes}
    if index.name not in valid:
        return "it became so since the backup was taken; the live database has it no more"
    return "" if valid[index.name] else "it became so since the backup was taken; so is the live database"


def _tables(catalog: Catalog) -> _Told:
    return {str(one.name): str(one.oid) for one in sorted(catalog.tables, key=lambda one: str(one.name))}


def _columns(catalog: Catalog) -> _Told:
    return {
        f"{table.name}.{spoken(one.name)}": f"{one.type_name} not null" if one.not_null else one.type_name
        for table in catalog.tables
        for one in table.columns
    }


def _foreign_keys(catalog: Catalog) -> _Told:
    return {
        f"{one.table}: {spoken(one.name)}": f"{_listed(one.columns)} → {one.parent} ({_listed(one.parent_columns)})"
        f"{'' if one.validated else ' not valid'}"
        for one in catalog.foreign_keys
    }


def _checks(catalog: Catalog) -> _Told:
    return {
        f"{one.table}: {spoken(one.name)}": f"{one.condition}{'' if one.validated else ' not valid'}"
        for one in catalog.check_constraints
    }


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(spoken, columns))


def _indexes(catalog: Catalog) -> _Told:
    return {str(one.name): one.definition for one in catalog.indexes}


def _validity(catalog: Catalog) -> _Told:
    return {str(one.name): "valid" if one.valid else "not valid" for one in catalog.indexes}


def _sequences(catalog: Catalog) -> _Told:
    return {str(one.name): f"{one.table}.{spoken(one.column)}" for one in catalog.sequences}


def _policies(catalog: Catalog) -> _Told:
    return {f"{one.table}: {spoken(one.name)}": one.definition for one in catalog.policies}


def _owners(catalog: Catalog) -> _Told:
    return {str(one.name): f"{one.owner}{', row level security' if one.row_security else ''}" for one in catalog.tables}


def _extensions(catalog: Catalog) -> _Told:
    return {one.name: one.version for one in catalog.extensions}


def _missing(before: _Told, now: _Told) -> Iterator[_Difference]:
    return ((one, "is missing") for one in before if one not in now)


def _new(before: _Told, now: _Told) -> Iterator[_Difference]:
    return ((one, "is new") for one in now if one not in before)


def _any(before: _Told, now: _Told) -> Iterator[_Difference]:
    yield from _missing(before, now)
    yield from ((one, f"was {text}, is {now[one]}") for one, text in before.items() if now.get(one, text) != text)
    yield from _new(before, now)


def _lost(before: _Told, now: _Told) -> Iterator[_Difference]:
    return ((one, "is no longer valid") for one in before if (before[one], now.get(one)) == ("valid", "not valid"))


_PARTS = (
    _Part("no table is missing", "every recorded table", _tables, _missing, of_shared_tables=False),
    _Part("no table is new", "no other tables", _tables, _new, of_shared_tables=False),
    _Part("extensions are as recorded", "every extension and its version", _extensions, _any, of_shared_tables=False),
    _Part("columns are as recorded", "every column with its type", _columns, _any),
    _Part("foreign keys are as recorded", "every key, validated or not", _foreign_keys, _any),
    _Part("check constraints are as recorded", "every condition, validated or not", _checks, _any),
    _Part("indexes are as recorded", "every index with its definition", _indexes, _any),
    _Part("valid indexes stayed valid", "no index lost its validity", _validity, _lost),
    _Part("sequences are as recorded", "every sequence and its column", _sequences, _any),
    _Part("policies are as recorded", "every policy of row level security", _policies, _any),
    _Part("owners are as recorded", "every table's owner and row level security", _owners, _any),
)
