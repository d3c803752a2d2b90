"""Find a named restore point: read the archived WAL, all of it, since a name may have been given twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from recovery.adapters.pgbackrest.archive import ArchivedWal
from recovery.errors import CommandFailed
from recovery.settings import RepoSettings
from recovery.site import site
from recovery.wal import RestorePoint, SearchedWal, Segment
from tasks.step import note, probe, warn

_RUN_BYTES = 256 * 1024**2  # that much WAL is on the disk at a time
_NOTE_EVERY = 50


@probe
def search_restore_points(
    name: str, segments: tuple[str, ...], segment_bytes: int, repos: tuple[RepoSettings, ...]
) -> SearchedWal:
    """Read the archived WAL and list its restore points, those of this name with their moments.

    `segments`: the way to search, oldest first. Raises: CommandFailed, TargetUnreachable when the archive
    cannot be asked; a single segment that cannot be read is reported, not raised.
    """
    if not segments:
        return SearchedWal((), 0)
    with _archived_wal(name, segment_bytes, repos) as wal:
        search = _Search(wal, name, segments)
        for position, segment in enumerate(segments, 1):
            if position % _NOTE_EVERY == 0:
                note(f"looked through {position} of {len(segments)} WAL segments for restore point {name!r}")
            search.take(segment)
        return search.done()


@contextmanager
def _archived_wal(name: str, segment_bytes: int, repos: tuple[RepoSettings, ...]) -> Iterator[ArchivedWal]:
    places = site().copies.prepare("none", f"search for restore point {name}", repos)
    try:
        wal = site().copies.archived_wal(places, segment_bytes)
        wal.prepare()
        yield wal
    finally:
        site().copies.remove(places)


class _Search:
    """Reads segments in runs as long as possible, since a record may begin in one and end in the next."""

    def __init__(self, wal: ArchivedWal, name: str, segments: tuple[str, ...]) -> None:
        self._wal, self._name = wal, name
        self._segments = {self._parse(one).number: one for one in segments}
        # All are kept under the names of the newest timeline: one reading then goes across a switch.
        self._timeline = self._parse(segments[-1]).timeline
        self._longest = max(1, _RUN_BYTES // wal.segment_bytes)
        self._run: list[int] = []
        self._points: dict[int, RestorePoint] = {}
        self._unread: dict[int, str] = {}

    def take(self, name: str) -> None:
        """Fetch the next segment, and read the run that it ends."""
        segment = self._parse(name)
        if self._run and segment.number != self._run[-1] + 1:
            self._read_run()
        if not self._fetch(name, segment.number):
            self._read_run()
            return
        self._run.append(segment.number)
        if len(self._run) > self._longest:
            self._read_run(kept=1)  # a record that begins in the last one ends in the next

    def done(self) -> SearchedWal:
        """What was found, and what could not be looked at."""
        self._read_run()
        numbers = sorted(self._segments)
        read = len(numbers) - len(self._unread)
        for before, after in itertools.pairwise(numbers):
            timeline = self._parse(self._segments[before]).timeline
            gap = range(before + 1, after)
            self._unread |= {one: Segment(timeline, one).name(self._wal.segment_bytes) for one in gap}
        unread = tuple(self._unread[number] for number in sorted(self._unread))
        return SearchedWal(tuple(self._points[lsn] for lsn in sorted(self._points)), read, unread)

    def _fetch(self, name: str, number: int) -> bool:
        try:
            if self._wal.fetch(name, self._kept(number)):
                return True
        except CommandFailed as error:
            self._wal.require_answer()  # else it is not this segment that is out of reach, but all
            warn(f"WAL segment {name} cannot be read: {error.problem}")
        self._unread[number] = name
        return False

    def _read_run(self, *, kept: int = 0) -> None:
        """Read what was fetched and remove it, but for the last ones that are `kept` for the next run."""
        numbers, self._run = self._run, self._run[len(self._run) - kept :]
        first = numbers[0] if numbers else 0
        while numbers and first <= numbers[-1]:
            dumped = self._wal.restore_points(self._kept(first), self._kept(numbers[-1]))
            self._points |= {one.lsn: self._dated(one) for one in dumped.points}
            if dumped.broken is None:
                break
            self._unread[dumped.broken] = self._segments[dumped.broken]
            first = dumped.broken + 1
        for number in numbers[: len(numbers) - kept]:
            self._wal.forget(self._kept(number))

    def _dated(self, point: RestorePoint) -> RestorePoint:
        return self._wal.dated(point, self._timeline) if point.name == self._name else point

    def _kept(self, number: int) -> Segment:
        return Segment(self._timeline, number)

    def _parse(self, name: str) -> Segment:
        return Segment.parse(name, self._wal.segment_bytes)
