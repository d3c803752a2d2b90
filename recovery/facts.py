"""What the probes found: frozen, typed, with the unit in the name."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from recovery.catalog import Catalog, TableName
from recovery.wal import History, Segment

BackupKind = Literal["full", "diff", "incr"]


@dataclass(frozen=True)
class Progress:
    """How far a long step has come."""

    phase: str
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_second: float = 0.0
    detail: str = ""

    @property
    def percent(self) -> float | None:
        return min(100.0, 100 * self.done_bytes / self.total_bytes) if self.total_bytes else None

    @property
    def seconds_left(self) -> float | None:
        if not self.total_bytes or self.bytes_per_second <= 0:
            return None
        return max(0.0, (self.total_bytes - self.done_bytes) / self.bytes_per_second)


@dataclass(frozen=True)
class BackupSet:
    """One backup set in one repository."""

    label: str
    repo: int
    kind: BackupKind
    started_at: datetime
    stopped_at: datetime
    start_lsn: int
    stop_lsn: int
    wal_start: str
    wal_stop: str
    database_bytes: int
    copied_bytes: int
    repo_bytes: int
    damaged: bool
    prior: str | None = None
    references: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)
    cluster: int = 1  # the how manieth of this stanza it is of; each has an archive of its own

    @property
    def timeline(self) -> int:
        return int(self.wal_stop[:8], 16)

    @property
    def full_label(self) -> str:
        """The full set that this one stands on."""
        return self.label.split("_")[0]


@dataclass(frozen=True)
class ArchivedSegment:
    """One WAL segment in one repository, and when it arrived there."""

    segment: Segment
    archived_at: datetime
    repo_bytes: int


@dataclass(frozen=True)
class RepoFacts:
    """What one repository holds."""

    repo: int
    bucket: str
    region: str
    problem: str | None = None
    sets: tuple[BackupSet, ...] = ()
    segments: tuple[ArchivedSegment, ...] = ()
    histories: tuple[History, ...] = ()
    segment_bytes: int = 16 * 1024 * 1024
    other_sets: tuple[BackupSet, ...] = ()  # of clusters that the stanza had before

    @property
    def every_set(self) -> tuple[BackupSet, ...]:
        """All sets, as retention counts them: those of a cluster before are the oldest."""
        return (*self.other_sets, *self.sets)

    @property
    def newest_archived_at(self) -> datetime | None:
        return max((s.archived_at for s in self.segments), default=None)


@dataclass(frozen=True)
class ArchivedCluster:
    """Whose backups and WAL a repository takes now, and the how manieth cluster of its stanza that is."""

    repo: int
    number: int
    system_identifier: str
    major_version: str


@dataclass(frozen=True)
class ServerFacts:
    """One running PostgreSQL server."""

    version: int
    system_identifier: str
    timeline: int
    in_recovery: bool
    current_lsn: int
    segment_bytes: int
    now: datetime
    data_dir: str
    data_checksums: bool
    database_bytes: int  # of all its databases
    settings: dict[str, str]
    archived_count: int = 0
    archive_failures: int = 0
    last_archived_wal: str | None = None
    last_archived_at: datetime | None = None
    last_archive_failure_at: datetime | None = None
    heartbeat_at: datetime | None = None
    segments_in_pg_wal: tuple[str, ...] = ()
    segments_waiting: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()


class WalState(StrEnum):
    """What became of a WAL segment (the four words of WAL-G)."""

    FOUND = "found"
    DELAYED = "missing, delayed"  # newer than the archive's end: its turn has not come
    UPLOADING = "missing, uploading"  # the server still holds it and is sending it
    LOST = "missing, lost"  # nowhere: moments behind it are out of reach


@dataclass(frozen=True)
class WalRange:
    """A run of segments of one timeline that share a state."""

    timeline: int
    first: str
    last: str
    count: int
    state: WalState


class TargetKind(StrEnum):
    """How far a restore goes."""

    LATEST = "latest"
    TIME = "time"
    LSN = "lsn"
    NAME = "name"
    BACKUP = "immediate"


@dataclass(frozen=True)
class RecoveryTarget:
    """Where a recovery shall stop. `moment` for a time, `lsn` for a position, `name` for a restore point."""

    kind: TargetKind
    moment: datetime | None = None
    lsn: int | None = None
    name: str | None = None
    exclusive: bool = False

    def __str__(self) -> str:
        from recovery.wal import format_lsn

        match self.kind:
            case TargetKind.TIME:
                return f"{self.moment:%Y-%m-%d %H:%M:%S.%f} UTC"
            case TargetKind.LSN:
                return f"LSN {format_lsn(self.lsn or 0)}"
            case TargetKind.NAME:
                return f"restore point {self.name}"
            case TargetKind.BACKUP:
                return "the end of the backup"
            case _:
                return "the newest archived WAL"


@dataclass(frozen=True)
class ReachedPoint:
    """Where a recovery really stopped, from the server's own log and words."""

    lsn: int
    timeline: int
    last_commit_at: datetime | None
    heartbeat_at: datetime | None
    proof: str


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


@dataclass(frozen=True)
class DatabaseAddress:
    """How one database is reached: `host` is an address or the directory of a Unix socket.

    Without a name the server is meant: it is looked at through a database that every server has.
    `bare`: a restored copy's, as its superuser: the session preloads nothing that the source's settings name.
    """

    host: str
    port: int
    name: str
    user: str
    password: str | None = field(default=None, repr=False)
    bare: bool = field(default=False, repr=False)

    @property
    def shown(self) -> str:
        """As a person is told of it."""
        where = f"{self.host}:{self.port}"
        return f"{self.name} on {where}" if self.name else f"the server on {where}"

    @property
    def psql(self) -> str:
        """The command that goes there, as a shell takes it."""
        # A name with = would be read as a list of parameters.
        name = self.name or "postgres"
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        name = f"dbname='{escaped}'" if re.search(r"=|^postgres(ql)?://", name) else name
        return shlex.join(["psql", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", name])


@dataclass(frozen=True)
class LeftOut:
    """What could not be made in a loaded database: its name, why, and what to type to make it (empty: nothing helps)."""

    what: str
    why: str
    statement: str = ""
    of_rows: bool = False  # rows are missing

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" + (f"; to make it: {self.statement}" if self.statement else "")


@dataclass(frozen=True)
class Change:
    """Something that is not as it should be on a site, and what would be done."""

    what: str
    why: str
    needs_restart: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why something must not be done, and what can be done instead."""

    problem: str
    next_step: str


@dataclass(frozen=True)
class RestorePlan:
    """What a restore will do, decided before anything is written."""

    backup: BackupSet
    target: RecoveryTarget
    timeline: int
    first_segment: str
    last_segment: str
    end_lsn: int
    segments: int
    needed_bytes: int
    expected_seconds: float
    archive_ends_at: datetime | None
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observation:
    """Something seen on a site that it is not our place to change; `advice` is empty when all is well."""

    what: str
    found: str
    advice: str = ""
