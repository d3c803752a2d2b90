"""Which sets may go, and which never: the last one that was proven, and all that a kept set needs."""

from __future__ import annotations

from recovery.facts import BackupSet

VERIFIED = "verified-at"


def full_sets_kept(sets: tuple[BackupSet, ...], keep: int) -> int:
    """How many full sets, from the newest back, must stay so that `keep` sound ones and a proven one do.

    Damaged sets do not count: two bad fulls must not push out the last good one.
    """
    fulls = sorted((one for one in sets if one.kind == "full"), key=lambda one: one.stopped_at, reverse=True)
    proven = {one.full_label for one in sets if VERIFIED in one.annotations and not one.damaged}
    sound, seen_proven = 0, not proven
    for position, full in enumerate(fulls, 1):
        sound += not full.damaged
        seen_proven = seen_proven or full.label in proven
        if sound >= keep and seen_proven:
            return position
    return max(1, len(fulls))


def expired_by(sets: tuple[BackupSet, ...], kept_fulls: int) -> tuple[BackupSet, ...]:
    """The sets that go when so many fulls stay: the older fulls and all that stand on them."""
    fulls = sorted((one for one in sets if one.kind == "full"), key=lambda one: one.stopped_at, reverse=True)
    going = {full.label for full in fulls[kept_fulls:]}
    return tuple(one for one in sets if one.full_label in going)


def dependents(sets: tuple[BackupSet, ...], label: str) -> tuple[BackupSet, ...]:
    """The set itself and every set that needs it, whether directly or through another."""
    needed = {label}
    while True:
        found = {one.label for one in sets if one.label in needed or one.prior in needed or needed & {*one.references}}
        if found <= needed:
            return tuple(one for one in sets if one.label in needed)
        needed |= found


def drop_refusal(sets: tuple[BackupSet, ...], label: str) -> str | None:
    """Why a named set must not be dropped, or None."""
    if label not in {one.label for one in sets}:
        return f"there is no backup {label} in this repository"
    going = {one.label for one in dependents(sets, label)}
    staying = [one for one in sets if one.label not in going]
    if not any(one.kind == "full" and not one.damaged for one in staying):
        return f"{label} carries the last sound full backup of this repository"
    proven = [one for one in sets if VERIFIED in one.annotations and not one.damaged]
    if proven and not any(one in staying for one in proven):
        return f"{label} carries the last backup of this repository that was proven to restore"
    return None
