"""One recovery at a time for a site, on whichever machine: an object in the evidence bucket, written with a condition.

How old it is, is told by S3's own clock (its date less the object's last change), so the machines' clocks do not matter.
The token grows with every holder: who was overtaken can be told from who overtook.
Ref.: Amazon S3 User Guide, Conditional writes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from recovery.errors import Busy, GateRefused, RecoveryError
from recovery.roles import VersionedDocument, VersionedDocuments


@dataclass(frozen=True)
class Holder:
    """Who holds it, for people to read, and for how long it holds without a renewal.

    `place` is one state folder on one machine since its last start. Whoever has the lock of that folder may take the
    lease from a holder of the same place at once: the kernel has said that it is dead.
    """

    run: str
    incident: str
    machine: str
    pid: int
    valid_seconds: int
    place: str


@dataclass(frozen=True)
class HeldLease:
    """A lease that we hold: its token, and the version of the object that we wrote."""

    token: int
    version: str
    holder: Holder
    renewals: int = 0


class SiteLease:
    """The lease of one site."""

    def __init__(self, documents: VersionedDocuments, site: str) -> None:
        self._documents, self._name = documents, f"{site}.lease"

    def take(self, holder: Holder, *, take_over: bool = False) -> HeldLease:
        """Take the lease; a stale one is taken over, one that is held only with `take_over`.

        Raises: Busy naming the holder. GateRefused when what is there is no lease: only `take_over` replaces that.
        TargetUnreachable when the bucket does not answer.
        """
        known = self._documents.look(self._name)
        before = _body(known, self._name) if not take_over else _body_or_none(known, self._name)
        if before and not take_over and not _same_place(before, holder) and (refusal := _held(before, known)):
            raise _busy(refusal, before)
        token = int(before.get("token", 0)) + 1
        version = self._write(token, holder, known.version if known else None)
        if version is None:
            raise _busy("another recovery began at this moment", self._now())
        return HeldLease(token, version, holder)

    def renew(self, held: HeldLease) -> HeldLease:
        """Hold it for another while.

        Raises: Busy when somebody took it over. TargetUnreachable.
        """
        renewals = held.renewals + 1  # else the object would be the same, and who looked before could not tell
        version = self._write(held.token, held.holder, held.version, renewals)
        if version is None:
            raise _busy("somebody took this recovery's lease over", self._now())
        return HeldLease(held.token, version, held.holder, renewals)

    def release(self, held: HeldLease) -> None:
        """Let go of it; the token stays, so that the next one is greater. Idempotent."""
        self._documents.swap(self._name, json.dumps({"token": held.token}).encode(), held.version)

    def _now(self) -> dict[str, Any]:
        """Who holds it now, as far as that can be read: that it is not ours is known already."""
        try:
            return _body_or_none(self._documents.look(self._name), self._name)
        except RecoveryError:
            return {}

    def _write(self, token: int, holder: Holder, version: str | None, renewals: int = 0) -> str | None:
        content = json.dumps({"token": token, "renewals": renewals, "holder": asdict(holder)}).encode()
        return self._documents.swap(self._name, content, version)


def _same_place(body: dict[str, Any], holder: Holder) -> bool:
    return bool(holder.place) and (body.get("holder") or {}).get("place") == holder.place


def _held(body: dict[str, Any], known: VersionedDocument | None) -> str | None:
    """That somebody holds it, or None when it is free or stale."""
    holder = body.get("holder")
    if not holder or known is None:
        return None
    left = float(holder["valid_seconds"]) - known.age_seconds
    return f"a recovery holds this site for another {left:.0f} s at least" if left > 0 else None


def _busy(problem: str, body: dict[str, Any]) -> Busy:
    holder = body.get("holder") or {}
    who = (
        "run {run} (incident {incident}, process {pid} on {machine})".format_map(holder)
        if holder
        else "nobody any more"
    )
    return Busy(
        f"{problem}: {who}",
        "wait for it; when it is surely dead, the same command with --take-over=WHY",
    )


def _body(known: VersionedDocument | None, name: str) -> dict[str, Any]:
    if known is None:
        return {}
    try:
        body = json.loads(known.content)
        int(body["token"])
        if holder := body.get("holder"):
            Holder(**{one.name: holder[one.name] for one in fields(Holder)})
            float(holder["valid_seconds"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise GateRefused(
            f"the object {name} in the evidence bucket is no lease of ours: nobody can tell who recovers this site",
            "look at it; then --take-over=WHY replaces it",
        ) from error
    return dict(body)


def _body_or_none(known: VersionedDocument | None, name: str) -> dict[str, Any]:
    try:
        return _body(known, name)
    except GateRefused:
        return {}
