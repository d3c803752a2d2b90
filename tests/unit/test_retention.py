"""What may go, and what never."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.retention import VERIFIED, dependents, drop_refusal, expired_by, full_sets_kept
from recovery.facts import BackupSet
from tests.unit.build import backup

PROVEN = {"annotations": {VERIFIED: "2026-01-15T10:00:00+00:00"}}


def full(day: int, **other: Any) -> BackupSet:
    return backup(f"F{day}", day, **other)


def chained(day: int, prior: BackupSet, *references: str, kind: str = "incr", **other: Any) -> BackupSet:
    made = backup(f"{prior.full_label}_I{day}", day, kind=kind, prior=prior.label, **other)
    return backup(made.label, day, kind=kind, prior=prior.label, references=references or (prior.full_label,), **other)


def labels(sets: tuple[BackupSet, ...]) -> list[str]:
    return [one.label for one in sets]


@pytest.mark.parametrize(
    ("sets", "kept"),
    [
        ((full(1), full(2), full(3)), 2),
        ((full(1),), 1),
        ((), 1),
        ((full(1), full(2, damaged=True), full(3)), 3),
        ((full(1), full(2, damaged=True), full(3, damaged=True)), 3),
        ((full(1, **PROVEN), full(2), full(3), full(4)), 4),
        ((full(1, **PROVEN), full(2), full(3, **PROVEN)), 2),
        ((full(1, **PROVEN, damaged=True), full(2), full(3)), 2),
    ],
)
def test_how_many_full_sets_stay_when_two_are_wanted(sets: tuple[BackupSet, ...], kept: int) -> None:
    assert full_sets_kept(sets, 2) == kept


def test_proven_increment_keeps_its_full_set() -> None:
    first = full(1)
    sets = (first, chained(2, first, **PROVEN), full(3), full(4), full(5))
    assert full_sets_kept(sets, 2) == 4
    assert expired_by(sets, 4) == ()


def test_increments_go_with_their_full_set() -> None:
    one, two = full(1), full(4)
    first = chained(2, one)
    assert labels(expired_by((one, first, chained(3, first), two, chained(5, two)), 1)) == ["F1", "F1_I2", "F1_I3"]


def test_chain_goes_whole_though_the_last_link_refers_only_to_the_full_set() -> None:
    base = full(1)
    first = chained(2, base)
    second = chained(3, first)
    third = chained(4, second)
    other = chained(5, base, kind="diff")
    sets = (base, first, second, third, other)
    assert labels(dependents(sets, first.label)) == [first.label, second.label, third.label]
    assert labels(dependents(sets, base.label)) == labels(sets)
    assert labels(dependents(sets, third.label)) == [third.label]
    assert dependents(sets, "X") == ()


def test_chain_in_any_order() -> None:
    base = full(1)
    first = chained(2, base)
    assert labels(dependents((chained(3, first), first, base), first.label)) == ["F1_I3", "F1_I2"]


def test_reference_without_a_prior_is_a_need_too() -> None:
    base = full(1)
    first = chained(2, base)
    later = chained(3, base, "F1", first.label)
    assert later.label in labels(dependents((base, first, later), first.label))


@pytest.mark.parametrize(
    ("sets", "label", "refusal"),
    [
        ((full(1), full(2)), "F1", None),
        ((full(1), full(2)), "X", "there is no backup X in this repository"),
        ((full(1),), "F1", "F1 carries the last sound full backup of this repository"),
        (
            (full(1), full(2, damaged=True)),
            "F1",
            "F1 carries the last sound full backup of this repository",
        ),
        ((full(1), full(2, damaged=True)), "F2", None),
        (
            (full(1, **PROVEN), full(2)),
            "F1",
            "F1 carries the last backup of this repository that was proven to restore",
        ),
        (
            (full(1), chained(2, full(1), **PROVEN), full(3)),
            "F1",
            "F1 carries the last backup of this repository that was proven to restore",
        ),
        ((full(1, **PROVEN), full(2, **PROVEN)), "F1", None),
    ],
)
def test_sets_that_must_not_be_dropped(sets: tuple[BackupSet, ...], label: str, refusal: str | None) -> None:
    assert drop_refusal(sets, label) == refusal


def test_proven_set_at_the_end_of_a_chain_protects_the_whole_chain() -> None:
    base = full(1)
    first = chained(2, base)
    second = chained(3, first)
    proven = chained(4, second, **PROVEN)
    refusal = drop_refusal((base, first, second, proven, full(5)), first.label)
    assert refusal == "F1_I2 carries the last backup of this repository that was proven to restore"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8), st.integers(1, 5))
def test_retention_never_drops_the_last_sound_or_proven_set(fulls: list[tuple[bool, bool]], keep: int) -> None:
    sets = tuple(
        full(day, damaged=damaged, **(PROVEN if proven else {})) for day, (damaged, proven) in enumerate(fulls)
    )
    gone = set(labels(expired_by(sets, full_sets_kept(sets, keep))))
    sound = [one for one in sets if not one.damaged]
    proven = [one for one in sound if VERIFIED in one.annotations]
    for kind in (sound, proven):
        assert not kind or any(one.label not in gone for one in kind)
    assert sum(one.label not in gone for one in sound) >= min(keep, len(sound))
