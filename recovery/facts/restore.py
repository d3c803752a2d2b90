"""A restore: how far it goes, what it will do, where it came to, and what it left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recovery.facts.backups import BackupSet


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
class ReachedPoint:
    """Where a recovery really stopped, from the server's own log and words."""

    lsn: int
    timeline: int
    last_commit_at: datetime | None
    heartbeat_at: datetime | None
    proof: str


@dataclass(frozen=True)
class LeftOut:
    """What could not be made in a loaded database: its name, why, and what to type to make it (empty: nothing helps)."""

    what: str
    why: str
    statement: str = ""
    of_rows: bool = False  # rows are missing

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" + (f"; to make it: {self.statement}" if self.statement else "")
