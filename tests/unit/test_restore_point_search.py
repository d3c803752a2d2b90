"""The search for a restore point: runs that overlap, gaps, what is broken, and an archive that is away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from recovery.adapters.pgbackrest.archive import ArchivedWal
from recovery.adapters.postgres.waldump import Dumped
from recovery.errors import CommandFailed, TargetUnreachable
from recovery.wal import RestorePoint, SearchedWal, Segment
from tasks import restore_points as module
from tests.unit.build import SEGMENT_BYTES, T0, lsn, name


@dataclass
class Wal:
    """An archive in memory: restore points by position; a point that ends in the next segment needs both in one run."""

    points: tuple[RestorePoint, ...] = ()
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    broken: tuple[int, ...] = ()
    answers: bool = True
    kept: set[Segment] = field(default_factory=set)
    most: int = 0
    runs: list[tuple[int, int]] = field(default_factory=list)
    segment_bytes: int = SEGMENT_BYTES

    def fetch(self, segment: str, under: Segment) -> bool:
        if segment in self.damaged:
            raise CommandFailed("pgbackrest: [029]: it is damaged", "look", (), 29, "")
        if segment in self.missing:
            return False
        self.kept.add(under)
        self.most = max(self.most, len(self.kept))
        return True

    def require_answer(self) -> int:
        if not self.answers:
            raise TargetUnreachable("the archive does not answer", "wait")
        return 1

    def restore_points(self, first: Segment, last: Segment) -> Dumped:
        assert {replace(first, number=n) for n in range(first.number, last.number + 1)} <= self.kept
        self.runs.append((first.number, last.number))
        broken = next((n for n in self.broken if first.number <= n <= last.number), None)
        end = lsn(last.number + 1 if broken is None else broken)
        return Dumped(tuple(p for p in self.points if lsn(first.number) <= p.lsn and p.lsn + 98 <= end), broken)

    def dated(self, point: RestorePoint, timeline: int) -> RestorePoint:
        assert Segment.holding(timeline, point.lsn, SEGMENT_BYTES) in self.kept
        return replace(point, made_at=T0)

    def forget(self, segment: Segment) -> None:
        self.kept.remove(segment)


def search(wal: Wal, *segments: str, longest: int = 3) -> SearchedWal:
    looked = module._Search(cast("ArchivedWal", wal), "here", segments)
    looked._longest = longest
    for one in segments:
        looked.take(one)
    found = looked.done()
    assert wal.kept == set()
    return found


def names(first: int, last: int, timeline: int = 1) -> tuple[str, ...]:
    return tuple(name(number, timeline) for number in range(first, last + 1))


def test_a_record_on_the_border_of_two_runs_is_found_once() -> None:
    points = tuple(RestorePoint(lsn(number) - 50, "here") for number in range(3, 13))
    wal = Wal(points)
    found = search(wal, *names(2, 11))
    assert found == SearchedWal(tuple(replace(one, made_at=T0) for one in points[:-1]), 10)
    assert wal.runs == [(2, 5), (5, 8), (8, 11), (11, 11)]
    assert wal.most == 4


def test_only_points_of_the_name_are_dated() -> None:
    points = (RestorePoint(lsn(2.5), "here"), RestorePoint(lsn(2.6), "here too"))
    assert search(Wal(points), name(2)).points == (replace(points[0], made_at=T0), points[1])


def test_across_a_switch_in_one_run() -> None:
    wal = Wal((RestorePoint(lsn(4) - 50, "here"),))
    found = search(wal, *names(2, 3), *names(4, 5, timeline=2), longest=9)
    assert [one.lsn for one in found.points] == [lsn(4) - 50]
    assert wal.runs == [(2, 5)]


def test_what_is_missing_damaged_or_broken_is_named() -> None:
    wal = Wal(
        (RestorePoint(lsn(2.5), "here"), RestorePoint(lsn(10.5), "here")),
        missing=(name(4),),
        damaged=(name(6),),
        broken=(9,),
    )
    found = search(wal, *names(2, 7), *names(9, 10))  # 8 is in no listing
    assert [one.lsn for one in found.points] == [lsn(2.5), lsn(10.5)]
    assert found.read == 5
    assert found.unread == (name(4), name(6), name(8), name(9))


def test_an_archive_that_is_away_is_no_damaged_segment() -> None:
    with pytest.raises(TargetUnreachable):
        search(Wal(damaged=(name(3),), answers=False), *names(2, 5))


def test_an_empty_archive_is_searched_without_asking() -> None:
    assert module.search_restore_points("here", (), SEGMENT_BYTES, ()) == SearchedWal((), 0)
