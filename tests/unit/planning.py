"""Asking for a restore plan, for the tests of which set, timeline and WAL a restore takes."""

from __future__ import annotations

from checks.recovery_target import (
    Archive,
    choose_restore,
    readable_archive,
)
from recovery.facts import RecoveryTarget, Refusal, RepoFacts, RestorePlan, ServerFacts, TargetKind
from tests.unit.build import at, lsn


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
