"""A restore to a moment holds exactly what was committed by then: no row less, none more."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from sandbox import site
from tests.fix_drills import Drill, address_of, paused_writer, seconds_ago, text, until

N = int(os.environ.get("N", "2"))
SEED = int(os.environ.get("SEED", "1"))


def first_moment(drill: Drill) -> datetime:
    sets = drill.done("backup", "list", "--json").json
    return min(datetime.fromisoformat(one["stopped_at"]) for one in sets) + timedelta(seconds=1)


def prove(drill: Drill, moment: datetime) -> int:
    """Restore to a moment and compare every row with the writer's notes; how many rows there were."""
    report = drill.restored("--target-time", text(moment))
    try:
        found = drill.compared(report, moment)
        assert found.expected > 0
        assert found.lost == {table: set() for table in found.lost}
        assert found.extra == {table: set() for table in found.extra}
    finally:
        drill.drop(report)
    return found.expected


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_every_moment_holds_exactly_its_rows(drill: Drill) -> None:
    """Writes go on while the restores run, so each moment is drawn from a longer stretch."""
    chance = random.Random(SEED)
    begin = first_moment(drill)
    drill.commit_seen_after(begin + timedelta(seconds=5))
    exact = 0
    for number in range(1, N + 1):
        moment = begin + (seconds_ago(0.5) - begin) * chance.random()
        rows = prove(drill, moment)
        exact += 1
        print(f"moment {number} of {N}: {text(moment)}: {rows} rows expected, exact")
    print(f"SEED={SEED}: {exact} of {N} moments exact")
    assert exact == N


@pytest.mark.long
@pytest.mark.works("backup restore --target-time --json")
def test_one_second_ago_with_writes_going_on(drill: Drill) -> None:
    prove(drill, seconds_ago(1))


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_beside_a_commit_one_microsecond_decides(drill: Drill, microseconds: int) -> None:
    begin = first_moment(drill)
    drill.commit_seen_after(begin)
    committed = [w for w in drill.notes() if w.committed_at and w.committed_at > begin]
    write = committed[len(committed) // 2]
    assert write.committed_at is not None
    moment = write.committed_at + timedelta(microseconds=microseconds)
    report = drill.restored("--target-time", text(moment))
    try:
        assert drill.compared(report, moment).exact
        dashboard = next(iter(write.rows["dashboards"]))
        there = drill.sql("SELECT count(*) FROM dashboards WHERE id = %s", dashboard, address=address_of(report))
        assert there == (1 if microseconds >= 0 else 0)
    finally:
        drill.drop(report)


def test_idle_site_reaches_a_moment_after_its_last_write(drill: Drill) -> None:
    paused_writer(drill.sandbox)
    try:
        idle = datetime.now(UTC) + timedelta(seconds=1)
        until(lambda: datetime.now(UTC) > idle, what="a second without writes")
        prove(drill, idle)
    finally:
        site.start_service(drill.sandbox, "writer")
