"""The arithmetic of WAL: LSNs, segment names, timelines and their history."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_SEGMENT = re.compile(r"[0-9A-F]{24}")
_BEFORE = re.compile(r"(before|after) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::?\d\d)?)?")


def parse_lsn(text: str) -> int:
    """The byte position of an LSN such as 0/5000060.

    Raises: ValueError when it is not one.
    """
    if not re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", text):
        raise ValueError(f"{text!r} is not an LSN")
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def format_lsn(lsn: int) -> str:
    """A byte position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


@dataclass(frozen=True, order=True)
class Segment:
    """One WAL segment: its timeline and its number on the way from 0/0."""

    timeline: int
    number: int

    @classmethod
    def parse(cls, name: str, segment_bytes: int) -> Segment:
        """The segment of a 24-digit file name."""
        if not _SEGMENT.fullmatch(name):
            raise ValueError(f"{name!r} is not a WAL segment")
        per_file = 0x100000000 // segment_bytes
        return cls(int(name[:8], 16), int(name[8:16], 16) * per_file + int(name[16:], 16))

    @classmethod
    def holding(cls, timeline: int, lsn: int, segment_bytes: int) -> Segment:
        """The segment in which a position lies."""
        return cls(timeline, lsn // segment_bytes)

    def name(self, segment_bytes: int) -> str:
        per_file = 0x100000000 // segment_bytes
        return f"{self.timeline:08X}{self.number // per_file:08X}{self.number % per_file:08X}"


def segment_bytes_of(lsn: int, name: str) -> int | None:
    """The size of a WAL segment, from a position and the name of the segment that holds it.

    None when they fit more than one size, or none.
    """
    sizes = [1 << power for power in range(20, 31)]  # what initdb allows: 1 MB to 1 GB
    fitting = [size for size in sizes if Segment.holding(int(name[:8], 16), lsn, size).name(size) == name]
    return fitting[0] if len(fitting) == 1 else None


@dataclass(frozen=True)
class Switch:
    """Where a timeline was left for the next one, and why."""

    timeline: int
    lsn: int
    reason: str

    @property
    def recovered_to(self) -> datetime | None:
        """The moment of a recovery that made the switch; None after a failover."""
        found = _BEFORE.search(self.reason)
        if not found:
            return None
        zone = found[3] or "+00"
        zone = zone if len(zone) > 3 else f"{zone}:00"
        try:
            moment = datetime.fromisoformat(f"{found[2]}{zone}")
        except ValueError:
            return None
        # A recovery that reached no commit at all notes PostgreSQL's year zero.
        return moment.astimezone(UTC) if moment.year > 2001 else None


@dataclass(frozen=True)
class History:
    """The way from timeline 1 to this timeline."""

    timeline: int
    switches: tuple[Switch, ...]
    archived_at: datetime | None = None

    @classmethod
    def parse(cls, timeline: int, text: str, archived_at: datetime | None = None) -> History:
        """Read a .history file."""
        switches = []
        for line in text.splitlines():
            words = line.split("\t") if "\t" in line else line.split(None, 2)
            if len(words) >= 2 and words[0].strip().isdigit():
                reason = words[2] if len(words) > 2 else ""
                switches.append(Switch(int(words[0]), parse_lsn(words[1].strip()), reason.strip()))
        return cls(timeline, tuple(switches), archived_at)

    def end_of(self, timeline: int) -> int | None:
        """Where an ancestor was left; None for this timeline itself.

        Raises: KeyError when it is no ancestor.
        """
        if timeline == self.timeline:
            return None
        for switch in self.switches:
            if switch.timeline == timeline:
                return switch.lsn
        raise KeyError(timeline)

    def holds(self, timeline: int, lsn: int) -> bool:
        """Whether a position of a timeline lies on the way here."""
        try:
            end = self.end_of(timeline)
        except KeyError:
            return False
        return end is None or lsn <= end

    def timeline_read_at(self, number: int, segment_bytes: int) -> int:
        """The timeline whose file of this segment number a recovery along this way reads.

        At a switch both timelines have the segment; PostgreSQL reads the newer one.
        """
        for older, switch in zip(reversed(self.timelines[:-1]), reversed(self.switches), strict=True):
            if number >= switch.lsn // segment_bytes:
                return self.timelines[self.timelines.index(older) + 1]
        return self.timelines[0]

    @property
    def timelines(self) -> tuple[int, ...]:
        """All timelines on the way, oldest first, this one last."""
        return (*(switch.timeline for switch in self.switches), self.timeline)


@dataclass(frozen=True, order=True)
class RestorePoint:
    """A named restore point: where its record begins, and when it was made, where that could be read."""

    lsn: int
    name: str
    made_at: datetime | None = None


@dataclass(frozen=True)
class SearchedWal:
    """The restore points in a stretch of WAL, and how much of the stretch could be read.

    `unread`: the segments that are missing, or that could not be read to their end.
    """

    points: tuple[RestorePoint, ...]
    read: int
    unread: tuple[str, ...] = ()
