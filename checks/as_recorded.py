"""Is the copy what the source was? What was recorded with the backup, held against what the copy says of itself.

Where the copy stands at just the position of the record, every difference is a failure. Anywhere else the application
has worked on between the two: a difference that the live database shows as well was made there, and is a warning; one
that it does not show is a failure. Without a live database to ask, nobody can tell, and all are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC

from checks.clickview import clickview_suite
from checks.expectation import agreed, not_checked, same_thing
from recovery.catalog import Catalog, Index, TableName
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import RecordedFacts, Witness

_SUITE = "as recorded"
_NEW = " is new"


@dataclass(frozen=True)
class Source:
    """What is known of the database that a copy was made from.

    `exact`: the copy stands at just the position of the record. `tolerance`: share of the recorded rows that may be
    missing at another moment. `live`: the live database today, where it could be asked.
    """

    recorded: RecordedFacts | None = None
    exact: bool = False
    tolerance: float = 0.5
    live: Witness | None = None


def as_recorded(catalog: Catalog, known: Source) -> tuple[Expectation, ...]:
    """The catalog of the copy is that of the source."""
    recorded = known.recorded
    if recorded is None or recorded.catalog is None:
        return (not_checked(_SUITE, "the catalog is as recorded", "no catalog was recorded with this backup"),)
    made = _compared(recorded.catalog, catalog)
    if known.exact:
        return made
    when = f"since the record of {recorded.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if known.live is None:
        lost = f"changed {when}: by the application, or lost"
        return tuple(replace(one, known=lost) for one in made)
    there = {one.name: one.differences for one in _compared(recorded.catalog, known.live.catalog)}
    return tuple(
        part for one in made for part in _explained(one, there[one.name], f"changed {when}; so is the live database")
    )


def _compared(source: Catalog, copy: Catalog) -> tuple[Expectation, ...]:
    both = {one.name for one in source.tables} & {one.name for one in copy.tables}
    of_tables = _of_tables(_only(source, both), _only(copy, both))
    return (*_tables(source, copy), _extensions(source, copy), *of_tables)


def _explained(one: Expectation, there: tuple[str, ...], why: str) -> Iterator[Expectation]:
    """A difference that the live database shows as well was made by the application; what is new was not lost."""
    made_there = tuple(text for text in one.differences if text in there or text.endswith(_NEW))
    yield replace(one, differences=tuple(text for text in one.differences if text not in made_there))
    if made_there:
        yield replace(one, name=f"{one.name}: changed since", differences=made_there, known=why)


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


def _of_tables(source: Catalog, catalog: Catalog) -> list[Expectation]:
    return [
        *_columns(source, catalog),
        *_keys(source, catalog),
        _alike("indexes are as recorded", "every index with its definition", _indexes(source), _indexes(catalog)),
        _still_valid(source, catalog),
        *_others(source, catalog),
    ]


def known_to_be_behind(name: TableName, known: Source) -> str:
    """Why a sequence that is behind is no news, or nothing."""
    recorded = known.recorded
    if recorded is None or recorded.catalog is None:
        return ""
    if name in recorded.behind:
        return "it was so when the backup was taken"
    if known.exact:
        return ""
    if known.live is None:
        return "it was not so when the backup was taken: set back since, or rows came with values of their own"
    return "it became so since the backup was taken; so is the live database" if name in known.live.behind else ""


def with_what_is_known(own: Iterable[Expectation], recorded: RecordedFacts | None) -> tuple[Expectation, ...]:
    """Rules about single rows, each with why it is no news that the copy breaks it."""
    source = recorded.catalog if recorded else None
    # Where a rule stands in for a key that the source did not have either, nothing was lost.
    at_source = {same_thing(one) for one in clickview_suite(source)} if source else set()
    return tuple(replace(one, known=one.known or _known(one, recorded, at_source)) for one in own)


def _known(one: Expectation, recorded: RecordedFacts | None, at_source: set[tuple[object, ...]]) -> str:
    rows = recorded.broke(one.table, one.name) if recorded else 0
    if rows:
        return f"{rows:,} broke it when the backup was taken"
    if one.kind in (ExpectationKind.NO_ROWS, ExpectationKind.UNIQUE) and same_thing(one) in at_source:
        return "no key of the source promised it"
    return ""


def known_to_be_invalid(index: Index, known: Source) -> str:
    """Why an index that is not valid is no news, or nothing."""
    source = known.recorded.catalog if known.recorded else None
    if source is None:
        return ""
    if index.name not in {one.name for one in source.indexes if one.valid}:
        there = index.name in {one.name for one in source.indexes}
        return "it was so when the backup was taken" if there else "it was made after the backup's record"
    if known.exact:
        return ""
    if known.live is None:
        return "it was valid when the backup was taken: a REINDEX or a DROP was cut short since, or it is damaged"
    broken = {one.name for one in known.live.catalog.indexes if not one.valid}
    return "it became so since the backup was taken; so is the live database" if index.name in broken else ""


def _tables(source: Catalog, copy: Catalog) -> Iterator[Expectation]:
    before, now = {one.name for one in source.tables}, {one.name for one in copy.tables}
    yield agreed(
        _SUITE,
        "no table is missing",
        f"all {len(before)} recorded tables",
        [f"{one} is missing" for one in _sorted(before - now)],
    )
    yield agreed(_SUITE, "no table is new", "no other tables", [f"{one}{_NEW}" for one in _sorted(now - before)])


def _columns(source: Catalog, copy: Catalog) -> Iterator[Expectation]:
    differences = []
    for table in source.tables:
        other = copy.table(table.name)
        if other is not None:
            before = {f"{table.name}.{one.name}": _column(one.type_name, one.not_null) for one in table.columns}
            now = {f"{table.name}.{one.name}": _column(one.type_name, one.not_null) for one in other.columns}
            differences += _differences(before, now)
    yield agreed(_SUITE, "columns are as recorded", "every column with its type", differences)


def _column(type_name: str, not_null: bool) -> str:
    return f"{type_name} not null" if not_null else type_name


def _keys(source: Catalog, copy: Catalog) -> Iterator[Expectation]:
    yield _alike("foreign keys are as recorded", "every key, validated or not", _foreign(source), _foreign(copy))
    yield _alike(
        "check constraints are as recorded", "every condition, validated or not", _checks(source), _checks(copy)
    )


def _foreign(catalog: Catalog) -> dict[str, str]:
    return {
        f"{one.table}: {one.name}": f"{', '.join(one.columns)} → {one.parent} ({', '.join(one.parent_columns)})"
        f"{'' if one.validated else ' not valid'}"
        for one in catalog.foreign_keys
    }


def _checks(catalog: Catalog) -> dict[str, str]:
    return {
        f"{one.table}: {one.name}": f"{one.condition}{'' if one.validated else ' not valid'}"
        for one in catalog.check_constraints
    }


def _indexes(catalog: Catalog) -> dict[str, str]:
    return {str(one.name): one.definition for one in catalog.indexes}


def _still_valid(source: Catalog, copy: Catalog) -> Expectation:
    valid = {one.name for one in source.indexes if one.valid}
    lost = [f"{one.name} is no longer valid" for one in copy.indexes if one.name in valid and not one.valid]
    return agreed(_SUITE, "valid indexes stayed valid", "no index lost its validity", lost)


def _others(source: Catalog, copy: Catalog) -> Iterator[Expectation]:
    yield _alike("sequences are as recorded", "every sequence and its column", _sequences(source), _sequences(copy))
    yield _alike("policies are as recorded", "every policy of row level security", _policies(source), _policies(copy))
    yield _alike("owners are as recorded", "every table's owner and row level security", _owners(source), _owners(copy))


def _extensions(source: Catalog, copy: Catalog) -> Expectation:
    before = {one.name: one.version for one in source.extensions}
    now = {one.name: one.version for one in copy.extensions}
    return _alike("extensions are as recorded", "every extension and its version", before, now)


def _sequences(catalog: Catalog) -> dict[str, str]:
    return {str(one.name): f"{one.table}.{one.column}" for one in catalog.sequences}


def _policies(catalog: Catalog) -> dict[str, str]:
    return {f"{one.table}: {one.name}": one.definition for one in catalog.policies}


def _owners(catalog: Catalog) -> dict[str, str]:
    return {str(one.name): f"{one.owner}{', row level security' if one.row_security else ''}" for one in catalog.tables}


def _alike(name: str, expected: str, before: Mapping[str, str], now: Mapping[str, str]) -> Expectation:
    return agreed(_SUITE, name, expected, _differences(before, now))


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    missing = [f"{one} is missing" for one in before if one not in now]
    new = [f"{one}{_NEW}" for one in now if one not in before]
    other = [f"{one} was {text}, is {now[one]}" for one, text in before.items() if one in now and now[one] != text]
    return [*missing, *other, *new]


def _sorted(names: Iterable[TableName]) -> list[TableName]:
    return sorted(names, key=str)
