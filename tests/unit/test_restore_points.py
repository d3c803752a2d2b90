"""Which position a restore point's name stands for, and how it is said when that is not known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from checks.recovery_target import reached_refusal
from checks.restore_points import choose_restore_point, unread_warning
from recovery.facts import RecoveryTarget, Refusal, RestorePlan, TargetKind
from recovery.wal import RestorePoint, SearchedWal
from tests.unit.build import T0, at, backup, lsn, name

POINTS = (
    RestorePoint(lsn(3.5), "nightly", T0),
    RestorePoint(lsn(4.5), "release"),
    RestorePoint(lsn(5.5), "nightly", T0 + timedelta(minutes=2)),
    RestorePoint(lsn(6.5), "nightly"),
    RestorePoint(lsn(7.5), "pgBackRest Archive Check"),
)


def chosen(wanted: str, unread: tuple[str, ...] = (), points: tuple[RestorePoint, ...] = POINTS) -> object:
    return choose_restore_point(wanted, SearchedWal(points, 9, unread), 2)


def test_a_name_given_once() -> None:
    assert chosen("release") == POINTS[1]
    assert chosen("release", unread=(name(5),)) == POINTS[1]


def test_a_name_given_again_and_again() -> None:
    assert chosen("nightly") == Refusal(
        "restore point 'nightly' was made 3 times: at 2026-01-15 10:00:00.000000 UTC (LSN 0/3800000); "
        "at 2026-01-15 10:02:00.000000 UTC (LSN 0/5800000); at an unknown moment (LSN 0/6800000)",
        "say which: --target-lsn=0/3800000 or --target-lsn=0/5800000 or --target-lsn=0/6800000",
    )


@pytest.mark.parametrize("wanted", ["nightl", "nightly ", "Release", "releas"])
def test_a_name_is_itself_and_not_what_begins_like_it(wanted: str) -> None:
    assert chosen(wanted) == Refusal(
        f"restore point {wanted!r} was not found in the archived WAL of timeline 2 (9 segments read)",
        "check the name (the newest there are: 'nightly', 'release'); or restore to a moment: --target-time",
    )


def test_what_could_not_be_read_is_said_and_not_taken_for_searched() -> None:
    assert chosen("x", unread=(name(5), name(8)), points=()) == Refusal(
        f"restore point 'x' was not found in the 9 segments of timeline 2 that could be read; "
        f"2 could not be read ({name(5)} …)",
        "run recover backup check, which names what is missing; check the name (there is none of another name); "
        "or restore to a moment: --target-time",
    )


def test_of_a_name_that_was_found_it_is_said_when_not_all_could_be_searched() -> None:
    assert unread_warning("release", SearchedWal(POINTS, 9)) is None
    assert unread_warning("release", SearchedWal(POINTS, 9, (name(5),))) == (
        f"restore point 'release' was found, but 1 could not be read ({name(5)}): "
        "whether its name was given twice is not known; run: recover backup check"
    )


@pytest.mark.parametrize(
    ("reached", "refusal"),
    [
        (lsn(4.5) + 98, None),
        (lsn(4.5), "the copy stopped at 0/4800000, and restore point release is at 0/4800000"),
        (lsn(3.5) + 98, "the copy stopped at 0/3800062, and restore point release is at 0/4800000"),
        (lsn(5), "the copy stopped at 0/5000000, and restore point release is at 0/4800000"),
    ],
)
def test_another_point_of_the_same_name_is_not_the_one_that_was_chosen(reached: int, refusal: str | None) -> None:
    target = RecoveryTarget(TargetKind.NAME, lsn=lsn(4.5), name="release")
    plan = RestorePlan(backup("a", 2), target, 1, name(2), name(5), lsn(6), 4, 10**9, 10.0, at(6))
    assert reached_refusal(plan, None, reached) == refusal
