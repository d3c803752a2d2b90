"""Which set, timeline and WAL a restore takes after a failover, or after a recovery that went live."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from checks.recovery_target import (
    readable_archive,
)
from recovery.facts import RecoveryTarget, Refusal, TargetKind
from tests.unit.build import at, backup, history, name, repo, server, wal
from tests.unit.planning import choose, planned, refused, to, to_lsn

FAILOVER = "no recovery target specified"
LATEST = RecoveryTarget(TargetKind.LATEST)


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
