"""What is expected of a database, as data: declared by the checks, run by an adapter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recovery.catalog import TableName


class ExpectationKind(StrEnum):
    """How an expectation is looked at."""

    ROW_COUNT = "row count"  # it has between `minimum` and `maximum` rows
    ROWS_MEET = "rows meet"  # no row of the table is one that `breaks` it
    UNIQUE = "unique"  # no two rows share these columns
    NO_ROWS = "no rows"  # the query finds nothing
    AGREED = "agreed"  # what the catalogs already answered: `differences` is empty
    NOT_CHECKED = "not checked"  # said, so that nobody takes silence for health


@dataclass(frozen=True)
class Expectation:
    """One expectation: a sentence for people and what a machine needs to look.

    `only`: the rows of tables that inherit from this one are not looked at.
    `breaks` is SQL about a row `c` of the table, true when the row breaks the rule; `shown` are the columns (SQL too)
    that tell a person which row it is. `known` says why a failure is no news: it is a warning then, unless more rows fail than
    `known_rows`.
    """

    suite: str
    name: str
    expected: str
    kind: ExpectationKind
    table: TableName | None = None
    columns: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    query: str = ""
    breaks: str = ""
    shown: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    known: str = ""
    known_rows: int | None = None  # how many are no news; None: any number
    only: bool = False

    @property
    def source(self) -> str:
        """What stands after FROM when its table is read."""
        return self.table.source(only=self.only) if self.table else ""
