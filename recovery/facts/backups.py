"""What the repositories hold: backup sets, WAL, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from recovery.wal import History, Segment

BackupKind = Literal["full", "diff", "incr"]


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
