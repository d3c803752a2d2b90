"""Which set, timeline and WAL a restore takes: failovers, forks, gaps and holes."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from checks.recovery_target import (
    Archive,
    choose_restore,
    reached_refusal,
    readable_archive,
    space_refusal,
)
from recovery.facts import RecoveryTarget, Refusal, RepoFacts, RestorePlan, ServerFacts, TargetKind
from recovery.wal import History, Segment
from tests.unit.build import SEGMENT_BYTES, at, backup, history, lsn, name, repo, server, wal

FAILOVER = "no recovery target specified"
LATEST = RecoveryTarget(TargetKind.LATEST)


def to(minute: float) -> RecoveryTarget:
    return RecoveryTarget(TargetKind.TIME, moment=at(minute))


def to_lsn(segment: float, *, exclusive: bool = False) -> RecoveryTarget:
    return RecoveryTarget(TargetKind.LSN, lsn=lsn(segment), exclusive=exclusive)


def choose(
    repos: RepoFacts | list[RepoFacts],
    target: RecoveryTarget,
    *,
    backup_id: str | None = None,
    live: ServerFacts | None = None,
    timeline: int | None = None,
    now: float = 10_000,
) -> RestorePlan | Refusal:
    archive = readable_archive([repos] if isinstance(repos, RepoFacts) else repos, live, timeline)
    assert isinstance(archive, Archive), archive
    return choose_restore(archive, target, backup_id, at(now))


def planned(answer: RestorePlan | Refusal) -> RestorePlan:
    assert isinstance(answer, RestorePlan), answer
    return answer


def refused(answer: RestorePlan | Refusal | Archive) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


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


# After a failover ---------------------------------------------------------------------------------

FAILED_OVER = repo(
    backup("A", 2),
    backup("B", 8, timeline=2),
    wal=wal(range(2, 6)) + wal(range(6, 12), 2),
    histories=(history(2, (1, 6.5, FAILOVER), begun=6.6),),
)


@pytest.mark.parametrize(
    ("minute", "label", "last"), [(4, "A", name(4 - 1)), (7, "A", name(6, 2)), (10, "B", name(9, 2))]
)
def test_every_moment_is_reached_along_the_new_timeline(minute: float, label: str, last: str) -> None:
    plan = planned(choose(FAILED_OVER, to(minute), live=server(12, timeline=2)))
    assert (plan.backup.label, plan.timeline, plan.last_segment) == (label, 2, last)


def test_last_stretch_that_only_the_new_timeline_archived() -> None:
    """The old primary died in segment 6; the promoted standby archives that segment as its own."""
    plan = planned(choose(FAILED_OVER, to(6.4), live=server(12, timeline=2)))
    assert (plan.backup.label, plan.last_segment, plan.timeline) == ("A", name(6, 2), 2)


def test_with_the_primary_dead_the_newest_timeline_is_followed() -> None:
    assert planned(choose(FAILED_OVER, LATEST)).timeline == 2


def test_server_on_a_timeline_that_has_not_reached_the_archive() -> None:
    before = repo(backup("A", 2), wal=wal(range(2, 6)))
    assert planned(choose(before, LATEST, live=server(6, timeline=2))).timeline == 1


def test_timeline_of_before_the_failover_ends_where_it_ended() -> None:
    answer = refused(choose(FAILED_OVER, to(9), timeline=1))
    assert answer.problem.startswith(f"2026-01-15 10:09:00.000000 UTC is after the last archived WAL ({name(5)}")


def test_unknown_timeline() -> None:
    assert refused(readable_archive([FAILED_OVER], None, 7)) == Refusal(
        "timeline 7 is not in the archive", "name one of: 1, 2"
    )


def test_site_whose_failovers_came_before_its_first_backup() -> None:
    """Its history files were written before archiving was on: they are nowhere, and not needed."""
    late = repo(backup("A", 20, timeline=5), wal=wal(range(20, 25), 5))
    plan = planned(choose(late, LATEST, live=server(26, timeline=5)))
    assert (plan.timeline, plan.last_segment) == (5, name(24, 5))


def test_commits_that_a_failover_lost_are_not_passed_off_as_kept() -> None:
    """The standby was two segments behind: timeline 1 went on to 8 after the fork at 6.5."""
    lossy = replace(
        FAILED_OVER,
        segments=(*FAILED_OVER.segments, *wal([6, 7, 8])),
        histories=(history(2, (1, 6.5, FAILOVER), begun=9.2),),
    )
    live = server(12, timeline=2)
    assert refused(choose(lossy, to(8.5), live=live)) == Refusal(
        "2026-01-15 10:08:30.000000 UTC may lie on the part of timeline 1 that the site left at 0/6800000",
        "to restore what was there then, add --target-timeline=1; the last position that the site kept is --target-lsn=0/6800000",
    )
    assert planned(choose(lossy, to(8.5), timeline=1)).last_segment == name(8)
    assert planned(choose(lossy, to_lsn(6.5), live=live)).timeline == 2
    assert planned(choose(lossy, to(5.9), live=live)).backup.label == "A"
    assert planned(choose(lossy, to(10), live=live)).backup.label == "B"


# After a recovery that went live ------------------------------------------------------------------

# Recovered at minute 20 to minute 6.5: segments 6..19 of timeline 1 are a dead branch, with set C on it.
FORKED = repo(
    backup("A", 2),
    backup("C", 15),
    backup("D", 8, timeline=2, started_at=at(23), stopped_at=at(23.5)),
    wal=wal(range(2, 20)) + wal(range(6, 12), 2, late=15),
    histories=(history(2, (1, 6.5, "before 2026-01-15 10:06:30.5+00"), begun=20),),
)
LIVE = server(12, timeline=2)


def test_set_of_the_dead_branch_is_never_taken() -> None:
    plan = planned(choose(FORKED, to(22.2), live=LIVE))
    assert (plan.backup.label, plan.timeline, plan.first_segment, plan.last_segment) == ("A", 2, name(2), name(7, 2))
    assert planned(choose(FORKED, LATEST, live=LIVE)).backup.label == "D"


def test_moment_of_the_dead_branch_is_refused_with_the_way_there() -> None:
    assert refused(choose(FORKED, to(12), live=LIVE)) == Refusal(
        "2026-01-15 10:12:00.000000 UTC lies on timeline 1, which the site left when it was recovered to 2026-01-15 10:06:30 UTC",
        "to restore what was there before that recovery, add --target-timeline=1",
    )


@pytest.mark.parametrize(("minute", "label"), [(12, "A"), (17, "C")])
def test_dead_branch_on_demand(minute: float, label: str) -> None:
    plan = planned(choose(FORKED, to(minute), live=LIVE, timeline=1))
    assert (plan.backup.label, plan.timeline) == (label, 1)


def test_set_of_the_dead_branch_by_name() -> None:
    answer = refused(choose(FORKED, LATEST, backup_id="C", live=LIVE))
    assert answer == Refusal(
        "backup C was taken on timeline 1, which the site has left", "to restore that branch, add --target-timeline=1"
    )
    assert planned(choose(FORKED, LATEST, backup_id="C", live=LIVE, timeline=1)).last_segment == name(19)


@pytest.mark.parametrize("minute", [6.5, 5])
def test_moment_before_the_fork_is_on_both_branches(minute: float) -> None:
    assert planned(choose(FORKED, to(minute), live=LIVE)).backup.label == "A"


def test_commit_that_a_recovery_left_out_is_on_the_dead_branch() -> None:
    moment = at(6.5) + timedelta(seconds=0.5)
    refused(choose(FORKED, RecoveryTarget(TargetKind.TIME, moment=moment), live=LIVE))


def test_window_ends_when_the_history_first_arrived_anywhere() -> None:
    """The second repository was away and got the history file an hour late."""
    late = replace(FORKED, repo=2, histories=(replace(FORKED.histories[0], archived_at=at(80)),))
    assert planned(choose([FORKED, late], to(22.2), live=LIVE)).timeline == 2


@pytest.mark.parametrize(
    "reason", ['at restore point "x"', "after LSN 0/6800000", "before 2000-01-01 00:00:00+00", "reached consistency"]
)
def test_recovery_without_a_moment_in_its_history_leaves_a_dead_branch_too(reason: str) -> None:
    forked = replace(FORKED, histories=(history(2, (1, 6.5, reason), begun=20),))
    assert refused(choose(forked, to(12), live=LIVE)).problem.startswith("2026-01-15 10:12:00.000000 UTC may lie on")
    assert planned(choose(forked, to(5), live=LIVE)).timeline == 2
    assert planned(choose(forked, to(22.2), live=LIVE)).timeline == 2


def test_failover_and_then_a_recovery() -> None:
    """1 → 2 by failover at 6.5; then back to 9.5 on timeline 2, which begins 3."""
    twice = repo(
        backup("A", 2),
        wal=wal(range(2, 6)) + wal(range(6, 15), 2) + wal(range(9, 14), 3, late=10),
        histories=(
            history(2, (1, 6.5, FAILOVER), begun=6.6),
            history(3, (1, 6.5, FAILOVER), (2, 9.5, "before 2026-01-15 10:09:30+00"), begun=18),
        ),
    )
    live = server(14, timeline=3)
    plan = planned(choose(twice, to(8), live=live))
    assert (plan.timeline, plan.first_segment, plan.last_segment) == (3, name(2), name(7, 2))
    assert planned(choose(twice, to(20.5), live=live)).last_segment == name(10, 3)
    assert refused(choose(twice, to(12), live=live)).next_step.endswith("--target-timeline=2")
    assert planned(choose(twice, to(12), live=live, timeline=2)).last_segment == name(11, 2)


def test_hole_on_the_old_timeline_is_not_filled_by_the_dead_one() -> None:
    holed = replace(FORKED, segments=wal(range(2, 20)) + wal([7, 8, 9], 2, late=15))  # segment 6 of timeline 2 is gone
    answer = refused(choose(holed, to(23), live=LIVE))
    assert answer.problem.startswith(f"WAL segment {name(6, 2)} is missing")


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
