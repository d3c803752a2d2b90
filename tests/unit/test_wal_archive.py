"""Four states of WAL, per timeline."""

from __future__ import annotations

import time
from dataclasses import replace

from checks.wal_archive import lost_ranges, wal_ranges
from recovery.facts import RepoFacts, ServerFacts, WalRange
from tests.unit.build import backup, history, name, repo, server, wal

FAILOVER = "no recovery target specified"


def shown(repo: RepoFacts, live: ServerFacts | None) -> list[tuple[int, int, int, str]]:
    """Each run as (timeline, first number, last number, state)."""
    ranges = wal_ranges(repo, live)
    assert all(one.count == int(one.last[16:], 16) - int(one.first[16:], 16) + 1 for one in ranges)
    return [(one.timeline, int(one.first[16:], 16), int(one.last[16:], 16), one.state.value) for one in ranges]


def test_all_four_states() -> None:
    """5 was deleted; 8 is on its way; 9 was switched a moment ago; 10 is being written."""
    archive = repo(backup("A", 2), wal=wal([2, 3, 4, 6, 7]))
    live = server(10.5, segments_in_pg_wal=tuple(name(n) for n in (7, 8, 9, 10, 11)), segments_waiting=(name(8),))
    assert shown(archive, live) == [
        (1, 2, 4, "found"),
        (1, 5, 5, "missing, lost"),
        (1, 6, 7, "found"),
        (1, 8, 8, "missing, uploading"),
        (1, 9, 9, "missing, delayed"),
    ]
    assert lost_ranges(wal_ranges(archive, live)) == [
        WalRange(1, name(5), name(5), 1, wal_ranges(archive, live)[1].state)
    ]


def test_gap_that_a_parallel_upload_has_yet_to_fill_is_no_loss() -> None:
    archive = repo(backup("A", 2), wal=wal([2, 3, 5]))
    assert shown(archive, server(6, segments_waiting=(name(4),)))[1] == (1, 4, 4, "missing, uploading")


def test_hole_stays_lost_though_the_server_still_has_the_file() -> None:
    """It was archived once, so the server will never send it again."""
    archive = repo(backup("A", 2), wal=wal([2, 3, 5]))
    assert shown(archive, server(6, segments_in_pg_wal=(name(4),)))[1] == (1, 4, 4, "missing, lost")


def test_end_that_is_nowhere_is_lost() -> None:
    assert shown(repo(backup("A", 2), wal=wal([2, 3])), server(6)) == [(1, 2, 3, "found"), (1, 4, 5, "missing, lost")]


def test_primary_dead() -> None:
    archive = repo(backup("A", 2), wal=wal([2, 4]))
    assert shown(archive, None) == [(1, 2, 2, "found"), (1, 3, 3, "missing, lost"), (1, 4, 4, "found")]


def test_wal_older_than_the_oldest_set_may_have_holes() -> None:
    archive = repo(backup("B", 8), backup("A", 5), wal=wal([1, 3, 5, 6, 7, 8]))
    assert shown(archive, server(9)) == [(1, 5, 8, "found")]


def test_start_of_the_oldest_set_is_owed() -> None:
    assert shown(repo(backup("A", 5), wal=wal([6, 7])), server(8))[0] == (1, 5, 5, "missing, lost")


def test_repository_without_a_set_owes_nothing() -> None:
    assert shown(repo(wal=wal([7, 9])), server(1_000_000)) == []
    assert shown(repo(), None) == []


def test_repository_with_a_set_and_not_one_segment() -> None:
    assert shown(repo(backup("A", 2)), server(4)) == [(1, 2, 3, "missing, lost")]


def test_after_a_failover_the_old_timeline_owes_only_what_lies_before_the_switch() -> None:
    archive = repo(
        backup("A", 2), wal=wal(range(2, 6)) + wal([6, 7], 2), histories=(history(2, (1, 6.5, FAILOVER), begun=6.6),)
    )
    assert shown(archive, server(8, timeline=2)) == [(1, 2, 5, "found"), (2, 6, 7, "found")]


def test_tail_of_the_old_timeline_that_never_arrived() -> None:
    archive = repo(
        backup("A", 2), wal=wal([2, 3]) + wal([6, 7], 2), histories=(history(2, (1, 6.5, FAILOVER), begun=6.6),)
    )
    assert shown(archive, None) == [(1, 2, 3, "found"), (1, 4, 5, "missing, lost"), (2, 6, 7, "found")]


def test_first_segment_after_the_switch_is_owed_by_the_new_timeline() -> None:
    archive = repo(
        backup("A", 2), wal=wal(range(2, 6)) + wal([7], 2), histories=(history(2, (1, 6.5, FAILOVER), begun=6.6),)
    )
    assert shown(archive, server(8, timeline=2))[1:] == [(2, 6, 6, "missing, lost"), (2, 7, 7, "found")]


def test_switch_at_the_border_of_a_segment() -> None:
    archive = repo(
        backup("A", 2), wal=wal(range(2, 6)) + wal([6], 2), histories=(history(2, (1, 6, FAILOVER), begun=6.6),)
    )
    assert shown(archive, server(7, timeline=2)) == [(1, 2, 5, "found"), (2, 6, 6, "found")]


def test_timeline_in_the_middle_whose_segments_are_all_gone() -> None:
    """Nothing of timeline 2 is left; its history says what it owes."""
    archive = repo(
        backup("A", 2),
        wal=wal(range(2, 6)) + wal([9, 10], 3),
        histories=(
            history(2, (1, 6.5, FAILOVER), begun=6.6),
            history(3, (1, 6.5, FAILOVER), (2, 9.5, FAILOVER), begun=9.6),
        ),
    )
    assert shown(archive, server(11, timeline=3)) == [
        (1, 2, 5, "found"),
        (2, 6, 8, "missing, lost"),
        (3, 9, 10, "found"),
    ]


def test_new_timeline_whose_history_has_not_arrived_owes_nothing_yet() -> None:
    archive = repo(backup("A", 2), wal=wal(range(2, 6)))
    assert shown(archive, server(6.5, timeline=2)) == [(1, 2, 5, "found")]


def test_dead_branch_after_a_recovery_is_shown_and_owes_nothing_more() -> None:
    archive = repo(
        backup("A", 2),
        wal=wal(range(2, 12)) + wal([6, 7], 2),
        histories=(history(2, (1, 6.5, "before 2026-01-15 10:06:30+00"), begun=20),),
    )
    assert shown(archive, server(8, timeline=2)) == [(1, 2, 11, "found"), (2, 6, 7, "found")]


def test_oldest_set_on_the_new_timeline_leaves_the_old_one_out() -> None:
    archive = repo(
        backup("B", 8, timeline=2),
        wal=wal([3, 5]) + wal(range(6, 10), 2),
        histories=(history(2, (1, 6.5, FAILOVER), begun=6.6),),
    )
    assert shown(archive, server(10, timeline=2)) == [(2, 8, 9, "found")]


def test_run_goes_on_in_the_next_log_file() -> None:
    found = wal_ranges(repo(backup("A", 0xFE), wal=wal(range(0xFE, 0x102))), server(0x102))
    assert [(one.first[8:], one.last[8:], one.count) for one in found] == [("00000000000000FE", "0000000100000001", 4)]


def test_long_loss_takes_no_time() -> None:
    live = server(6_000, segments_in_pg_wal=(name(5_999),))
    begin = time.process_time()
    lost = lost_ranges(wal_ranges(repo(backup("A", 0), wal=wal([*range(2_000), *range(4_000, 5_000)])), live))
    assert [one.count for one in lost] == [2_000, 999]
    assert time.process_time() - begin < 2


def test_unreadable_repository_has_nothing_to_say() -> None:
    assert wal_ranges(replace(repo(), problem="S3 does not answer"), server(5)) == ()
