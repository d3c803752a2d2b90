"""Which statements answer a list of expectations: one scan of a table for all of them, small tables many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from recovery.catalog import TableName, quoted
from recovery.expectation import Expectation, ExpectationKind

# A table of up to 1 MB is read in less time than its own round trip costs.
_SMALL_PAGES = 128
_LOOKS_A_STATEMENT = 40
_EXAMPLES = 10


@dataclass(frozen=True)
class TableShape:
    """What the catalog says of a table. `keys`: columns of indexes from which they can be read without the table."""

    pages: int | None = None  # None: nobody knows
    keys: frozenset[tuple[str, ...]] = frozenset()

    @property
    def small(self) -> bool:
        return self.pages is not None and self.pages <= _SMALL_PAGES


Shapes = Mapping[TableName, TableShape]
_UNKNOWN = TableShape()


@dataclass(frozen=True)
class Look:
    """One SELECT; each of its counts answers the expectation with that number."""

    counts: Mapping[int, str]
    source: str
    shape: TableShape = _UNKNOWN
    in_order: bool = False  # it reads an index from end to end


@dataclass(frozen=True)
class Statement:
    """Looks that make one round trip. `by_index`: it may read through indexes, once these are proven."""

    looks: tuple[Look, ...]
    by_index: bool = False

    @property
    def numbers(self) -> list[int]:
        """The expectations that it answers."""
        return [number for look in self.looks for number in look.counts]

    @property
    def sql(self) -> str:
        return "\nUNION ALL ".join(
            f"SELECT {place}, ARRAY[{', '.join(look.counts.values())}]::bigint[] FROM {look.source}"
            for place, look in enumerate(self.looks)
        )

    @property
    def settings(self) -> dict[str, str]:
        """How rows are read: from the table itself, never through an index that may be the very thing that is broken."""
        in_order = any(look.in_order for look in self.looks)
        through_indexes, otherwise = ("on" if self.by_index else "off"), ("off" if in_order else "on")
        return {
            "enable_indexscan": through_indexes,
            "enable_indexonlyscan": through_indexes,
            "enable_seqscan": otherwise,
            "enable_hashagg": otherwise,
            "enable_sort": otherwise,
        }

    def apart(self) -> list[Statement]:
        """Smaller statements that ask the same; none when this is one question already."""
        looks = list(self.looks)
        if len(looks) == 1:
            looks = [replace(looks[0], counts={number: count}) for number, count in looks[0].counts.items()]
        return [replace(self, looks=(look,)) for look in looks] if len(looks) > 1 else []

    def without_indexes(self) -> Statement:
        """The same, answered by the tables alone."""
        return Statement(tuple(replace(look, in_order=False) for look in self.looks))


def statements(expectations: Sequence[Expectation], shapes: Shapes) -> list[Statement]:
    """All that must be asked, in the order in which it is best asked.

    The largest tables first, so that no connection is left alone with one at the end. What may read an index comes
    last: by then somebody has looked at the indexes.
    """
    scans, queries, repeats = (
        _scans(expectations, shapes),
        _queries(expectations, shapes),
        _repeats(expectations, shapes),
    )
    large = sorted((look for look in (*scans, *queries, *repeats) if not look.shape.small), key=_size, reverse=True)
    return [
        *(Statement((look,)) for look in large if not look.in_order),
        *_together(scans),
        *_together(repeats),
        *(Statement((look,), by_index=True) for look in large if look.in_order),
        *_together(queries, by_index=True),
    ]


def examples_query(one: Expectation) -> str:
    """A query for some of the rows that an expectation stumbled over; empty when there is nothing to show."""
    match one.kind:
        case ExpectationKind.ROWS_MEET if one.table and one.shown:
            return f"SELECT {', '.join(one.shown)} FROM {one.source} c WHERE {one.breaks}\nLIMIT {_EXAMPLES}"
        case ExpectationKind.UNIQUE if one.table:
            return f"{_repeated(one, ', '.join(map(quoted, one.columns)))} LIMIT {_EXAMPLES}"
        case ExpectationKind.NO_ROWS:
            return f"SELECT * FROM ({_bare(one.query)}\n) found LIMIT {_EXAMPLES}"
        case _:
            return ""


def _scans(expectations: Sequence[Expectation], shapes: Shapes) -> list[Look]:
    scans: dict[tuple[TableName, str], dict[int, str]] = defaultdict(dict)
    for number, one in enumerate(expectations):
        if one.table and one.kind is ExpectationKind.ROW_COUNT:
            scans[one.table, one.source][number] = "count(*)"
        if one.table and one.kind is ExpectationKind.ROWS_MEET:
            scans[one.table, one.source][number] = f"count(*) FILTER (WHERE {one.breaks}\n)"
    return [Look(counts, f"{source} c", shapes.get(table, _UNKNOWN)) for (table, source), counts in scans.items()]


def _queries(expectations: Sequence[Expectation], shapes: Shapes) -> list[Look]:
    return [
        Look({number: "count(*)"}, f"({_bare(one.query)}\n) found", _shape(one, shapes))
        for number, one in enumerate(expectations)
        if one.kind is ExpectationKind.NO_ROWS
    ]


def _repeats(expectations: Sequence[Expectation], shapes: Shapes) -> list[Look]:
    looks = []
    for number, one in enumerate(expectations):
        if one.table and one.kind is ExpectationKind.UNIQUE:
            shape = _shape(one, shapes)
            source = f"({_repeated(one, 'count(*)')}) repeated(times)"
            in_order = one.columns in shape.keys and not shape.small
            looks.append(Look({number: "coalesce(sum(times), 0)"}, source, shape, in_order))
    return looks


def _repeated(one: Expectation, selected: str) -> str:
    names = [quoted(column) for column in one.columns]
    filled = " AND ".join(f"{name} IS NOT NULL" for name in names)
    return f"SELECT {selected} FROM {one.source} WHERE {filled} GROUP BY {', '.join(names)} HAVING count(*) > 1"


def _together(looks: Iterable[Look], *, by_index: bool = False) -> Iterator[Statement]:
    small = [look for look in looks if look.shape.small]
    for start in range(0, len(small), _LOOKS_A_STATEMENT):
        yield Statement(tuple(small[start : start + _LOOKS_A_STATEMENT]), by_index)


def _size(look: Look) -> float:
    return float("inf") if look.shape.pages is None else look.shape.pages


def _shape(one: Expectation, shapes: Shapes) -> TableShape:
    return shapes.get(one.table, _UNKNOWN) if one.table else _UNKNOWN


def _bare(query: str) -> str:
    return query.strip().removesuffix(";")


FROM_TABLES = Statement(()).settings
