"""Promises against measurements."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from checks.objectives import data_loss, measured_recovery, recovery_point, shown_span
from recovery.facts import ReachedPoint, RecoveryTarget, TargetKind
from recovery.settings import ObjectivesSettings
from tests.unit.build import at, server


def reached(commit: datetime | None, heartbeat: datetime | None = None) -> ReachedPoint:
    return ReachedPoint(0, 1, commit, heartbeat, "proof")


def to(minute: float) -> RecoveryTarget:
    return RecoveryTarget(TargetKind.TIME, moment=at(minute))


def test_recovery_point_is_the_newer_of_commit_and_heartbeat() -> None:
    assert recovery_point(reached(at(3), at(2))) == at(3)
    assert recovery_point(reached(None, at(2))) == at(2)
    assert recovery_point(reached(None)) is None


def test_loss_of_a_moment_is_counted_from_the_moment() -> None:
    assert data_loss(reached(at(4.5)), to(5), server(9), at(10)) == timedelta(seconds=30)
    assert data_loss(reached(at(5.5)), to(5), None, at(10)) == timedelta(0)


def test_loss_of_the_newest_is_counted_from_the_last_heartbeat_that_is_known() -> None:
    latest = RecoveryTarget(TargetKind.LATEST)
    assert data_loss(reached(at(4)), latest, server(9, heartbeat_at=at(6)), at(10)) == timedelta(minutes=2)
    assert data_loss(reached(at(4)), latest, server(9), at(10)) == timedelta(minutes=6)
    assert data_loss(reached(at(4)), latest, None, at(10)) == timedelta(minutes=6)


@pytest.mark.parametrize("kind", [TargetKind.LSN, TargetKind.NAME, TargetKind.BACKUP])
def test_nothing_is_lost_of_what_was_not_wanted(kind: TargetKind) -> None:
    assert data_loss(reached(at(4)), RecoveryTarget(kind), server(), at(10)) is None


def test_unknown_point_is_no_loss_of_zero() -> None:
    assert data_loss(reached(None), to(5), server(), at(10)) is None


def test_promises() -> None:
    recovery, loss = measured_recovery(ObjectivesSettings(), timedelta(hours=3), timedelta(minutes=60))
    assert (recovery.metric, recovery.target, recovery.met) == ("Time to Recovery", timedelta(hours=4), True)
    assert (loss.metric, loss.target, loss.met) == ("Data Loss", timedelta(hours=1), False)
    assert measured_recovery(ObjectivesSettings(), timedelta(0), None)[1].met is None


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (None, "as asked"),
        (timedelta(0), "0.0 s"),
        (timedelta(seconds=119.94), "119.9 s"),
        (timedelta(minutes=2), "2 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=4), "4 h"),
    ],
)
def test_spans(span: timedelta | None, text: str) -> None:
    assert shown_span(span) == text
