"""The data of a database: what was recorded of it, and what the checks found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recovery.catalog import Catalog, TableName


class CheckLevel(StrEnum):
    """How deep a backup is proven."""

    FILES = "files"
    RESTORE = "restore"
    DATA = "data"


@dataclass(frozen=True)
class TableCount:
    """Rows of a table. `own`: without those of tables that inherit from it, which older versions counted in."""

    table: TableName
    rows: int
    own: bool = False


@dataclass(frozen=True)
class BrokenRule:
    """A rule that rows of the source broke: by its table and name, and how many."""

    table: TableName
    rule: str
    rows: int


@dataclass(frozen=True)
class UnaskedRule:
    """A rule that the source could not be asked about."""

    table: TableName
    rule: str


@dataclass(frozen=True)
class RecordedFacts:
    """What the site's data looked like at a known position, noted with a backup.

    `exact`: counted at a standstill, at just this LSN. `catalog` is None for what older versions noted.
    `behind`: sequences whose next value a row has already; `broken`: rules that rows broke. What nobody could look at
    stands in `uncounted` (tables), `unseen` (sequences) and `unasked` (rules).
    """

    lsn: int
    at: datetime
    exact: bool
    counts: tuple[TableCount, ...]
    catalog: Catalog | None = None
    behind: tuple[TableName, ...] = ()
    broken: tuple[BrokenRule, ...] = ()
    uncounted: tuple[TableName, ...] = ()
    unseen: tuple[TableName, ...] = ()
    unasked: tuple[UnaskedRule, ...] = ()
    stale_collations: tuple[str, ...] | None = (
        None  # where the system sorts otherwise than at first; None: nobody looked
    )
    heartbeat_at: datetime | None = None  # the newest then

    def broke(self, table: TableName, rule: str) -> int:
        """How many rows broke this rule."""
        return next((one.rows for one in self.broken if (one.table, one.rule) == (table, rule)), 0)


@dataclass(frozen=True)
class Witness:
    """What the live database says of itself today: a second opinion on what became of the source since its record."""

    catalog: Catalog
    behind: tuple[TableName, ...] = ()
    unseen: tuple[TableName, ...] = ()  # sequences that nobody could look at


class CheckStatus(StrEnum):
    """What became of an expectation."""

    PASSED = "passed"
    WARNING = "warning"  # not as it should be, but it was so at the source, or may well have become so since
    FAILED = "failed"
    NOT_CHECKED = "not checked"  # neither: `found` says why nobody looked


@dataclass(frozen=True)
class CheckResult:
    """One expectation and what was found."""

    name: str
    suite: str
    status: CheckStatus
    expected: str
    found: str
    examples: tuple[str, ...] = ()
    of_rows: bool = True  # False: files or catalogs were looked at, which says nothing of the rows
    rows: int = 0  # how many broke it; 0 also where PostgreSQL could not read them

    @property
    def passed(self) -> bool:
        return self.status is CheckStatus.PASSED


@dataclass(frozen=True)
class CheckReport:
    """All expectations of one database. `about` says what was checked: (label, text)."""

    database: str
    started_at: datetime
    seconds: float
    results: tuple[CheckResult, ...]
    about: tuple[tuple[str, str], ...] = ()

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if result.status is CheckStatus.FAILED)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if result.status is CheckStatus.WARNING)

    @property
    def not_checked(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if result.status is CheckStatus.NOT_CHECKED)

    @property
    def passed(self) -> bool:
        """Whether rows were looked at, not only files and catalogs, and nothing failed; a warning is no failure."""
        return any(result.passed and result.of_rows for result in self.results) and not self.failures

    @property
    def unseen(self) -> tuple[CheckResult, ...]:
        """What was to be looked at, but could not be."""
        return tuple(result for result in self.not_checked if result.expected)

    @property
    def verdict(self) -> str:
        """What speaks against this database, in a few words; empty when nothing does."""
        if self.passed:
            return ""
        return f"failed checks ({len(self.failures)})" if self.failures else "not checked"

    @property
    def worst(self) -> str:
        """The first thing that speaks against it: the check and what it found."""
        first = next(iter(self.failures or self.not_checked), None)
        return f"{first.name}: {first.found}" if first else "nothing was looked at"
