"""Facts for the pure core, in a few lines.

The clock of these histories: WAL segment n is written in minute n and arrives in its repository at
the end of it, at(n + 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from recovery.facts import ArchivedSegment, BackupSet, RepoFacts, ServerFacts
from recovery.settings import Settings
from recovery.wal import History, Segment, Switch

SEGMENT_BYTES = 16 * 1024**2
T0 = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def lsn(segment: float) -> int:
    return int(segment * SEGMENT_BYTES)


def name(number: int, timeline: int = 1) -> str:
    return Segment(timeline, number).name(SEGMENT_BYTES)


def backup(label: str, first: int, stop: int | None = None, *, timeline: int = 1, **other: Any) -> BackupSet:
    """A sound full set whose WAL goes from one segment to another; it stops in the middle of the last minute."""
    stop = first if stop is None else stop
    made = BackupSet(
        label=label,
        repo=1,
        kind="full",
        started_at=at(first),
        stopped_at=at(stop + 0.5),
        start_lsn=lsn(first),
        stop_lsn=lsn(stop + 0.5),
        wal_start=name(first, timeline),
        wal_stop=name(stop, timeline),
        database_bytes=600_000_000,
        copied_bytes=600_000_000,
        repo_bytes=100_000_000,
        damaged=False,
    )
    return replace(made, **other)


def wal(numbers: Iterable[int], timeline: int = 1, *, late: float = 0) -> tuple[ArchivedSegment, ...]:
    """Segments of a timeline, each arrived at the end of its minute (or so many minutes later)."""
    return tuple(ArchivedSegment(Segment(timeline, n), at(n + 1 + late), 1000) for n in numbers)


def history(timeline: int, *switches: tuple[int, float, str], begun: float) -> History:
    """The way to a timeline: (timeline that was left, segment where, reason), and the minute it was archived."""
    return History(timeline, tuple(Switch(left, lsn(where), why) for left, where, why in switches), at(begun))


def repo(*sets: BackupSet, wal: Iterable[ArchivedSegment] = (), number: int = 1, **other: Any) -> RepoFacts:
    here = tuple(replace(one, repo=number) for one in sets)
    return RepoFacts(number, f"bucket-{number}", f"region-{number}", sets=here, segments=tuple(wal), **other)


def server(current: float = 10, timeline: int = 1, **other: Any) -> ServerFacts:
    """A healthy primary that writes into the segment `current`."""
    made = ServerFacts(
        version=150020,
        system_identifier="7",
        timeline=timeline,
        in_recovery=False,
        current_lsn=lsn(current),
        segment_bytes=SEGMENT_BYTES,
        now=at(current),
        data_dir="/data",
        data_checksums=True,
        database_bytes=600_000_000,
        settings={"archive_mode": "on"},
        databases=("clickview", "postgres"),
    )
    return replace(made, **other)


def settings(**sections: Any) -> Settings:
    """The least that a site must say, and what a test adds."""
    least = {"backup": {"encryption_key": "key-of-the-repository", "primary": {"bucket": "clickview-backups"}}}
    return Settings.model_validate(least | sections)
