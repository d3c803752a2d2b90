"""The restore points in WAL segments, as pg_waldump and the records themselves tell them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.process import Completed, Host, failed
from recovery.wal import RestorePoint, Segment, parse_lsn

_POINT = re.compile(
    r"^rmgr: XLOG +len \(rec/tot\): +\d+/ +\d+, tx: +\d+, lsn: ([0-9A-F]+/[0-9A-F]+), prev [0-9A-F]+/[0-9A-F]+, "
    r"desc: RESTORE_POINT (.*)$",
    re.MULTILINE,
)
# What it says when it read the files and found no sound record in them. All else it may fail at is not about the WAL.
_BROKEN = re.compile(
    r"^pg_waldump: (?:error|fatal): (?:error in WAL record at|could not find a valid record after"
    r"|WAL segment size must be a power of two)(.*)",
    re.MULTILINE,
)
_BROKEN_SEGMENT = re.compile(r"in (?:log|WAL) segment ([0-9A-F]{24})")
_BROKEN_AT = re.compile(r"([0-9A-F]+/[0-9A-F]+)")

_PAGE_BYTES = 8192
_SHORT_PAGE_HEADER = 24
_RECORD_HEADER = 24
_DATA_HEADER = 2  # the record's data is shorter than 256 bytes
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Dumped:
    """What one reading of a run of segments gave; `broken` is the segment at which the reading had to stop."""

    points: tuple[RestorePoint, ...]
    broken: int | None = None


def dump_restore_points(
    host: Host, program: Path, folder: Path, run: tuple[Segment, Segment], *, segment_bytes: int, seconds: float
) -> Dumped:
    """Read the restore points in a run of segments that lie in one folder, under the names of one timeline.

    A record that ends behind the run is not read. Raises: CommandFailed when the files could not be read.
    """
    first, last = (one.name(segment_bytes) for one in run)
    argv: list[str | Path] = [program, "--rmgr=XLOG", f"--path={folder}", first, last]
    ended = host.run(argv, timeout_seconds=seconds, check=False)
    points = tuple(RestorePoint(parse_lsn(lsn), name) for lsn, name in _POINT.findall(ended.stdout))
    if ended.status == 0:
        return Dumped(points)
    broken = broken_segment(ended, run, segment_bytes)
    if broken is None:
        raise failed(argv, ended)
    return Dumped(points, broken)


def broken_segment(ended: Completed, run: tuple[Segment, Segment], segment_bytes: int) -> int | None:
    """The number of the segment in which pg_waldump found no further record; None when it failed at something else."""
    said = _BROKEN.search(ended.stderr)
    if not said:
        return None
    if named := _BROKEN_SEGMENT.search(said[1]):
        number = Segment.parse(named[1], segment_bytes).number
    else:
        # The first position is that of the last sound record, the last one that of the broken one.
        positions = _BROKEN_AT.findall(said[1])
        number = parse_lsn(positions[-1]) // segment_bytes if positions else run[0].number
    return min(max(number, run[0].number), run[1].number)


def read_moment(host: Host, file: Path, point: RestorePoint, *, segment_bytes: int) -> datetime | None:
    """When a restore point was made, from its own record; None when that is not wholly in this segment."""

    def read(at: int, count: int) -> bytes:
        return files.read_bytes(host, file, at=at, count=count)

    return moment_in_record(read, point.lsn % segment_bytes, segment_bytes)


def moment_in_record(read: Callable[[int, int], bytes], begin: int, segment_bytes: int) -> datetime | None:
    """The moment in the record that begins at this byte of a segment. `read` gives (position, count) bytes."""
    wanted = _RECORD_HEADER + _DATA_HEADER + 8
    here = min(wanted, _PAGE_BYTES - begin % _PAGE_BYTES)
    content = read(begin, here)
    if here < wanted:
        page = begin + here
        if page >= segment_bytes:
            return None
        # The record goes on behind the header of the next page.
        content += read(page + _SHORT_PAGE_HEADER, wanted - here)
    (microseconds,) = struct.unpack_from("<q", content, _RECORD_HEADER + _DATA_HEADER)
    return _EPOCH + timedelta(microseconds=microseconds)
