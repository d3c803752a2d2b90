"""Which set, timeline and WAL a restore takes: failovers, forks, gaps and holes."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.recovery_target import (
    loading_space_refusal,
    reached_refusal,
    readable_archive,
    space_refusal,
)
from recovery.facts import RecoveryTarget, Refusal, RepoFacts, TargetKind
from recovery.wal import History, Segment
from tests.unit.build import SEGMENT_BYTES, at, backup, lsn, name, repo, wal
from tests.unit.planning import choose, planned, refused, to, to_lsn

LATEST = RecoveryTarget(TargetKind.LATEST)


# One timeline -------------------------------------------------------------------------------------

SIMPLE = repo(backup("A", 2), backup("B", 6), wal=wal(range(2, 12)))


def test_newest_set_before_the_moment_and_the_first_wal_that_arrived_after_it() -> None:
    plan = planned(choose(SIMPLE, to(9.25)))
    assert (plan.backup.label, plan.timeline, plan.first_segment, plan.last_segment, plan.segments) == (
        "B",
        1,
        name(6),
        name(9),
        4,
    )
    assert plan.end_lsn == lsn(10)
    assert plan.archive_ends_at == at(12)


def test_latest_goes_to_the_end_of_the_archive() -> None:
    assert planned(choose(SIMPLE, LATEST)).last_segment == name(11)


def test_moment_inside_a_later_set_needs_the_earlier_set() -> None:
    assert planned(choose(SIMPLE, to(6.2))).backup.label == "A"


@pytest.mark.parametrize(("seconds", "label"), [(0, "A"), (0.999999, "A"), (1, "B")])
def test_stop_second_of_a_set_belongs_to_the_set_before(seconds: float, label: str) -> None:
    moment = at(6.5) + timedelta(seconds=seconds)  # `info` says 6.5; it may be up to a second later
    assert planned(choose(SIMPLE, RecoveryTarget(TargetKind.TIME, moment=moment))).backup.label == label


def test_before_the_first_backup() -> None:
    assert refused(choose(SIMPLE, to(1))) == Refusal(
        "2026-01-15 10:01:00.000000 UTC is before the first backup, which ended at 2026-01-15 10:02:30 UTC",
        "the earliest reachable moment is 2026-01-15 10:02:31 UTC: --target-time='2026-01-15T10:02:31Z'",
    )


def test_moments_that_a_refusal_names_are_reachable() -> None:
    assert planned(choose(SIMPLE, to(2.5 + 1 / 60))).backup.label == "A"
    assert planned(choose(SIMPLE, to(12 - 10 / 60))).backup.label == "B"


def test_after_the_archive() -> None:
    assert refused(choose(SIMPLE, to(12.02))) == Refusal(
        f"2026-01-15 10:12:01.200000 UTC is after the last archived WAL ({name(11)}, archived 2026-01-15 10:12:00 UTC)",
        "the latest reachable moment before it is about 2026-01-15 10:11:50 UTC: --target-time='2026-01-15T10:11:50Z'; "
        "all that is archived: leave out the target; with the primary running, newer WAL arrives within its archive_timeout",
    )


def test_nearest_moment_is_never_one_before_the_set_is_consistent() -> None:
    only = repo(backup("A", 2, stopped_at=at(2.95)), wal=wal([2]))
    assert refused(choose(only, to(5))).next_step.startswith(
        "before it only the end of that backup is sure: --backup-id=A"
    )


def test_exactly_when_the_last_wal_arrived_is_tried() -> None:
    assert planned(choose(SIMPLE, to(12))).last_segment == name(11)


def test_a_moment_in_the_second_of_the_last_arrival_is_tried() -> None:
    assert planned(choose(SIMPLE, to(12.01))).last_segment == name(11)


def test_future() -> None:
    assert refused(choose(SIMPLE, to(9.5), now=9)).problem == "2026-01-15 10:09:30.000000 UTC is in the future"


def test_clock_of_the_repository_that_runs_ahead_never_plans_less_than_the_set_needs() -> None:
    ahead = repo(backup("A", 5, 6), wal=wal(range(2, 12), late=30))
    plan = planned(choose(ahead, to(7)))
    assert (plan.first_segment, plan.last_segment, plan.segments) == (name(5), name(6), 2)


def test_wal_that_arrived_late_and_all_at_once() -> None:
    hung = wal([2, 3]) + tuple(replace(one, archived_at=at(60)) for one in wal(range(4, 12)))
    assert planned(choose(repo(backup("A", 2), wal=hung), to(9))).last_segment == name(4)


def test_end_of_a_set() -> None:
    plan = planned(choose(SIMPLE, RecoveryTarget(TargetKind.BACKUP), backup_id="A"))
    assert (plan.backup.label, plan.first_segment, plan.last_segment) == ("A", name(2), name(2))


def test_named_set_to_a_later_moment() -> None:
    assert planned(choose(SIMPLE, to(9), backup_id="A")).backup.label == "A"


@pytest.mark.parametrize(
    ("label", "target", "problem"),
    [
        ("X", LATEST, "there is no backup X"),
        ("B", to(6), "backup B ended at 2026-01-15 10:06:30 UTC, after 2026-01-15 10:06:00.000000 UTC"),
        ("B", to_lsn(6.25), "backup B ended at 2026-01-15 10:06:30 UTC, after LSN 0/6400000"),
    ],
)
def test_named_set_that_cannot_serve(label: str, target: RecoveryTarget, problem: str) -> None:
    assert refused(choose(SIMPLE, target, backup_id=label)).problem == problem


@pytest.mark.parametrize(
    ("target", "label", "last"),
    [
        (to_lsn(9.5), "B", 9),
        (to_lsn(6.5), "B", 6),  # where the set is consistent, to the byte
        (to_lsn(6.5 - 1 / SEGMENT_BYTES), "A", 6),
        (to_lsn(6.5, exclusive=True), "B", 6),
        (RecoveryTarget(TargetKind.NAME, name="before-release", lsn=lsn(4.5)), "A", 4),
    ],
)
def test_positions(target: RecoveryTarget, label: str, last: int) -> None:
    plan = planned(choose(SIMPLE, target))
    assert (plan.backup.label, plan.last_segment) == (label, name(last))


def test_position_past_the_archive() -> None:
    assert refused(choose(SIMPLE, to_lsn(12))).problem.startswith("LSN 0/C000000 is after the last archived WAL")


# Damage and gaps ----------------------------------------------------------------------------------


def test_damaged_set_is_passed_over() -> None:
    damaged = repo(backup("A", 2), backup("B", 6, damaged=True), wal=wal(range(2, 12)))
    assert planned(choose(damaged, LATEST)).backup.label == "A"
    assert (
        refused(choose(damaged, LATEST, backup_id="B")).problem
        == "backup B holds pages that were damaged when it was taken"
    )


def test_no_sound_set_at_all() -> None:
    damaged = repo(backup("A", 2, damaged=True), wal=wal(range(2, 12)))
    assert refused(choose(damaged, LATEST)).problem == "there is no sound backup set on this timeline"


def test_gap_before_the_target_refuses_and_names_the_last_moment() -> None:
    gap = repo(backup("A", 2), wal=wal([2, 3, 4, 6, 7]))
    assert refused(choose(gap, to(7.5))) == Refusal(
        f"WAL segment {name(5)} is missing, and 2026-01-15 10:07:30.000000 UTC lies behind it",
        "the latest reachable moment before it is about 2026-01-15 10:04:50 UTC: --target-time='2026-01-15T10:04:50Z'",
    )


def test_gap_after_the_target_does_no_harm() -> None:
    assert planned(choose(repo(backup("A", 2), wal=wal([2, 3, 4, 6, 7])), to(4.5))).last_segment == name(4)


def test_latest_never_stops_silently_at_a_gap() -> None:
    gap = repo(backup("A", 2), wal=wal([2, 3, 4, 6, 7]))
    assert (
        refused(choose(gap, LATEST)).problem
        == f"WAL segment {name(5)} is missing, and the newest archived WAL lies behind it"
    )


def test_set_after_the_gap_reaches_the_end() -> None:
    gap = repo(backup("A", 2), backup("B", 6), wal=wal([2, 3, 4, 6, 7]))
    assert planned(choose(gap, LATEST)).backup.label == "B"


def test_gap_inside_a_set_leads_to_the_set_before() -> None:
    gap = repo(backup("A", 2), backup("B", 5, 7), wal=wal([*range(2, 6), 6, 8, 9]))
    assert refused(choose(gap, to(9.5))).problem.startswith(f"WAL segment {name(7)} is missing")
    reachable = planned(choose(gap, to(6.5)))
    assert reachable.backup.label == "A"


def test_set_without_its_wal_is_passed_over_and_the_plan_says_so() -> None:
    # The newer set is in the far repository only, and its start is missing everywhere.
    far = repo(backup("A", 2), backup("B", 6, 8), wal=wal([2, 3, 4, 5, 6, 7]), number=2)
    plan = planned(choose(far, to_lsn(5.5)))
    assert plan.rejected == ()
    holes = repo(backup("A", 2), backup("B", 4, 4, stopped_at=at(3.1), stop_lsn=lsn(3.1)), wal=wal([2, 3]))
    plan = planned(choose(holes, to_lsn(3.5)))
    assert plan.backup.label == "A"
    assert plan.rejected == (
        f"B in repository 1: WAL segment {name(4)} is missing, without which backup B is not consistent",
    )


def test_when_all_fail_the_set_that_comes_nearest_is_spoken_of() -> None:
    """Three sets: the oldest has no WAL of its own, the newest neither; the middle one reaches a gap."""
    sets = [backup("A", 2), backup("B", 5), backup("C", 8)]
    for some in (sets, sets[:2]):
        answer = refused(choose(repo(*some, wal=wal([5, 6, 9, 10])), to(10.5)))
        assert answer.problem == f"WAL segment {name(7)} is missing, and 2026-01-15 10:10:30.000000 UTC lies behind it"
        assert "2026-01-15T10:06:50Z" in answer.next_step


def test_when_no_set_has_its_own_wal_that_is_said() -> None:
    answer = refused(choose(repo(backup("A", 2), backup("B", 5), wal=wal([3, 6])), LATEST))
    assert answer.problem == f"WAL segment {name(5)} is missing, without which backup B is not consistent"


def test_refusing_many_backups_takes_no_time() -> None:
    sets = [backup(f"S{n}", n) for n in range(0, 5_000, 60)]
    days = repo(*sets, wal=wal(range(5_000)))
    begin = time.process_time()
    refused(choose(days, to(6_000), now=60_000))
    assert time.process_time() - begin < 2  # a tenth of it; half a minute if the archive were read once per set


# Two repositories ---------------------------------------------------------------------------------


def test_gap_in_one_repository_is_filled_by_the_other() -> None:
    near = repo(backup("A", 2), wal=wal([2, 3, 5, 6]))
    far = repo(wal=wal([3, 4]), number=2)
    plan = planned(choose([near, far], LATEST))
    assert (plan.backup.repo, plan.last_segment) == (1, name(6))


def test_nearer_repository_wins_unless_its_set_is_much_older() -> None:
    segments = wal(range(2, 200))
    near, far = repo(backup("A", 100), wal=segments), repo(backup("B", 130), wal=segments, number=2)
    assert planned(choose([near, far], LATEST)).backup.label == "A"
    far = repo(backup("B", 161), wal=segments, number=2)
    assert planned(choose([near, far], LATEST)).backup.label == "B"


def test_damaged_copy_of_a_set_in_one_repository() -> None:
    segments = wal(range(2, 9))
    near, far = repo(backup("A", 3, damaged=True), wal=segments), repo(backup("A", 3), wal=segments, number=2)
    assert planned(choose([near, far], LATEST, backup_id="A")).backup.repo == 2


def test_unreadable_repository_is_left_out() -> None:
    broken = RepoFacts(1, "bucket-1", "region-1", problem="S3 does not answer")
    far = repo(backup("A", 2), wal=wal(range(2, 5)), number=2)
    assert planned(choose([broken, far], LATEST)).backup.repo == 2


def test_no_repository_can_be_read() -> None:
    broken = [RepoFacts(n, f"bucket-{n}", "region", problem="S3 does not answer") for n in (1, 2)]
    assert refused(readable_archive(broken, None, None)) == Refusal(
        "no repository can be read: repository 1 (bucket-1): S3 does not answer; repository 2 (bucket-2): S3 does not answer",
        "check network, keys and buckets: recover settings check",
    )


@pytest.mark.parametrize("target", [LATEST, to(5), to_lsn(3), RecoveryTarget(TargetKind.BACKUP)])
def test_empty_repository(target: RecoveryTarget) -> None:
    assert refused(choose(repo(), target)).next_step == "take one: recover backup run --type full"


@pytest.mark.parametrize("target", [LATEST, to(5), to_lsn(3), RecoveryTarget(TargetKind.BACKUP)])
def test_set_whose_wal_is_all_gone(target: RecoveryTarget) -> None:
    assert refused(choose(repo(backup("A", 2)), target)).problem == (
        f"WAL segment {name(2)} is missing, without which backup A is not consistent"
    )


# Names of segments --------------------------------------------------------------------------------


def test_numbers_roll_over_into_the_next_log_file() -> None:
    rolled = repo(backup("A", 0xFE), wal=wal(range(0xFE, 0x103)))
    plan = planned(choose(rolled, LATEST))
    assert (plan.first_segment, plan.last_segment, plan.segments) == (
        "0000000100000000000000FE",
        "000000010000000100000002",
        5,
    )


def test_other_size_of_segments() -> None:
    size = 64 * 1024**2
    segments = tuple(replace(one, segment=Segment(1, one.segment.number)) for one in wal(range(0x3E, 0x43)))
    made = backup("A", 0x3E, wal_start=Segment(1, 0x3E).name(size), wal_stop=Segment(1, 0x3F).name(size))
    plan = planned(choose(repo(made, wal=segments, segment_bytes=size), LATEST))
    assert (plan.first_segment, plan.last_segment, plan.segments) == (
        "00000001000000000000003E",
        "000000010000000100000002",
        5,
    )
    assert plan.end_lsn == 0x43 * size


# Afterwards ---------------------------------------------------------------------------------------


def test_reached_point_is_compared_with_the_wish() -> None:
    plan = planned(choose(SIMPLE, to(9)))
    assert reached_refusal(plan, at(8.99), lsn(9)) is None
    assert reached_refusal(plan, None, lsn(9)) is None
    assert reached_refusal(plan, at(9.01), lsn(9)) == (
        "the copy holds a commit of 2026-01-15 10:09:00 UTC, after 2026-01-15 10:09:00.000000 UTC"
    )
    assert reached_refusal(plan, at(6), lsn(6)) == "the copy stopped at 0/6000000, before its backup was consistent"


def test_reached_position_is_compared_with_the_wish() -> None:
    plan = planned(choose(SIMPLE, to_lsn(9)))
    assert reached_refusal(plan, None, lsn(9)) is None
    assert reached_refusal(plan, None, lsn(8.5)) == "the copy stopped at 0/8800000, before LSN 0/9000000"


def test_space() -> None:
    plan = planned(choose(SIMPLE, LATEST))
    assert plan.needed_bytes == 600_000_000 + 6 * SEGMENT_BYTES + 64 * 1024**2
    assert space_refusal(plan, plan.needed_bytes, 1.0) is None
    assert space_refusal(plan, 100_000_000, 1.2) == "the restore needs 0.9 GB, and only 0.1 GB are free"


def test_way_without_history_holds_only_its_own_timeline() -> None:
    assert not History(5, ()).holds(4, 0)


def test_room_for_the_loaded_database() -> None:
    plan = planned(choose(SIMPLE, LATEST))
    size, copy = plan.backup.database_bytes, plan.needed_bytes
    assert loading_space_refusal(plan, size, 1.0, shared=False) is None
    assert loading_space_refusal(plan, size + copy, 1.0, shared=True) is None
    beside = loading_space_refusal(plan, size + copy - 1, 1.0, shared=True)
    assert beside and beside.startswith("the copy and the database loaded from it need ")
    apart = loading_space_refusal(plan, size - 1, 1.0, shared=False)
    assert apart and apart.startswith("the loaded database needs ") and "on the disk of the site's server" in apart
