"""The argument lists of pgBackRest, whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recovery.adapters.pgbackrest.configuration import Places
from recovery.adapters.pgbackrest.copies import restore_options
from recovery.adapters.pgbackrest.store import pgbackrest
from recovery.adapters.postgres.recovered import CopyPlaces
from recovery.adapters.process import Host
from recovery.facts import RecoveryTarget, RestorePlan, TargetKind
from tests.unit.build import at, backup, lsn, name

COPY = CopyPlaces(Path("/scratch/copy-1"))
ALWAYS = [
    "--stanza=main",
    "--repo=2",
    "--set=20260115-100200F",
    "--archive-mode=off",
    f"--pg1-path={COPY.data_dir}",
    "--no-delta",
    "--no-link-all",
    "--reset-link-map",
    "--reset-tablespace-map",
    f"--tablespace-map-all={COPY.tablespace_dir}",
    "--log-level-console=warn",
]


def plan(target: RecoveryTarget, *, timeline: int = 1, taken_on: int = 1) -> RestorePlan:
    made = backup("20260115-100200F", 2, timeline=taken_on)
    return RestorePlan(made, target, timeline, name(2), name(5), lsn(6), 4, 10**9, 10.0, at(6))


@pytest.mark.parametrize(
    ("target", "options"),
    [
        (RecoveryTarget(TargetKind.LATEST), ["--type=standby", "--target-timeline=1"]),
        (RecoveryTarget(TargetKind.BACKUP), ["--type=immediate", "--target-action=pause"]),
        (
            RecoveryTarget(TargetKind.TIME, moment=at(4.5)),
            [
                "--type=time",
                "--target=2026-01-15 10:04:30.000000+00",
                "--target-action=pause",
                "--target-timeline=1",
            ],
        ),
        (
            RecoveryTarget(TargetKind.LSN, lsn=lsn(4.5)),
            ["--type=lsn", "--target=0/4800000", "--target-action=pause", "--target-timeline=1"],
        ),
        (
            RecoveryTarget(TargetKind.LSN, lsn=lsn(4.5), exclusive=True),
            ["--type=lsn", "--target=0/4800000", "--target-action=pause", "--target-exclusive", "--target-timeline=1"],
        ),
        *(
            (
                RecoveryTarget(TargetKind.NAME, lsn=lsn(4.5), name=name),
                ["--type=name", f"--target={quoted}", "--target-action=pause", "--target-timeline=1"],
            )
            # pgBackRest writes it between quotes into postgresql.auto.conf as it is.
            for name, quoted in (("before release", "before release"), ('it\'s \\ "so"', "it''s \\\\ \"so\""))
        ),
        (
            RecoveryTarget(TargetKind.LSN, lsn=0),
            ["--type=lsn", "--target=0/0", "--target-action=pause", "--target-timeline=1"],
        ),
        (
            RecoveryTarget(TargetKind.NAME, name="before release 2.4", lsn=lsn(4)),
            ["--type=name", "--target=before release 2.4", "--target-action=pause", "--target-timeline=1"],
        ),
    ],
    ids=lambda one: str(one) if isinstance(one, RecoveryTarget) else "",
)
def test_restore(target: RecoveryTarget, options: list[str]) -> None:
    assert restore_options(plan(target), "main", 2, COPY) == ALWAYS + options


def test_moment_is_said_in_utc_wherever_it_came_from() -> None:
    from zoneinfo import ZoneInfo

    target = RecoveryTarget(TargetKind.TIME, moment=at(4.5).astimezone(ZoneInfo("Asia/Kolkata")))
    assert "--target=2026-01-15 10:04:30.000000+00" in restore_options(plan(target), "main", 2, COPY)


@pytest.mark.parametrize(
    ("timeline", "taken_on", "said"),
    [
        (1, 1, "1"),
        (2, 1, "2"),  # over a switch: the history file shows the way
        (5, 5, "current"),  # the set's own: its history file may be older than the archive
    ],
)
@pytest.mark.parametrize("target", [RecoveryTarget(TargetKind.LATEST), RecoveryTarget(TargetKind.TIME, moment=at(4))])
def test_timeline_is_never_left_to_a_default(target: RecoveryTarget, timeline: int, taken_on: int, said: str) -> None:
    options = restore_options(plan(target, timeline=timeline, taken_on=taken_on), "main", 2, COPY)
    assert options[-1] == f"--target-timeline={said}"


def test_set_that_began_on_another_timeline_than_it_ended() -> None:
    made = plan(RecoveryTarget(TargetKind.LATEST), timeline=2, taken_on=2)
    made = replace(made, backup=replace(made.backup, wal_start=name(2, 1)))
    assert restore_options(made, "main", 2, COPY)[-1] == "--target-timeline=2"


def test_every_command_names_its_configuration() -> None:
    assert pgbackrest(Places(Path("/state/pgbackrest")), "info", ["--repo=1"]) == [
        "pgbackrest",
        "--config=/state/pgbackrest/pgbackrest.conf",
        "--config-include-path=/state/pgbackrest/conf.d",
        "info",
        "--repo=1",
    ]


def test_command_behind_a_prefix_dies_with_us_on_the_other_side() -> None:
    host = Host(("runuser", "-u", "postgres", "--"))
    assert host.command(["tool", Path("/x")], env={"B": "2", "A": "1"}) == [
        *("runuser", "-u", "postgres", "--"),
        *("setpriv", "--pdeathsig", "TERM", "--"),
        *("env", "A=1", "B=2", "LC_ALL=C", "TZ=UTC"),
        *("tool", "/x"),
    ]
    lives = host.command(["tool"], outlives=True)
    assert lives == ["runuser", "-u", "postgres", "--", "env", "LC_ALL=C", "TZ=UTC", "tool"]
