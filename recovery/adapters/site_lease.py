"""One recovery at a time for a site, on whichever machine: an object in the evidence bucket, written with a condition.

How old it is, is told by S3's own clock (its date less the object's last change), so the machines' clocks do not matter.
The token grows with every holder: who was overtaken can be told from who overtook.
Ref.: Amazon S3 User Guide, Conditional writes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from recovery.errors import Busy, SettingsInvalid
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


class SiteLease:
    """The lease of one site."""

    def __init__(self, documents: VersionedDocuments, site: str) -> None:
        self._documents, self._name = documents, f"{site}.lease"

    def take(self, holder: Holder, *, take_over: bool = False) -> HeldLease:
        """Take the lease; a stale one is taken over, one that is held only with `take_over`.

        Raises: Busy naming the holder. TargetUnreachable when the bucket does not answer.
        """
        known = self._documents.look(self._name)
        before = _body(known, self._name)
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
        version = self._write(held.token, held.holder, held.version)
        if version is None:
            raise _busy("somebody took this recovery's lease over", self._now())
        return HeldLease(held.token, version, held.holder)

    def release(self, held: HeldLease) -> None:
        """Let go of it; the token stays, so that the next one is greater. Idempotent."""
        self._documents.swap(self._name, json.dumps({"token": held.token}).encode(), held.version)

    def _now(self) -> dict[str, Any]:
        return _body(self._documents.look(self._name), self._name)

    def _write(self, token: int, holder: Holder, version: str | None) -> str | None:
        content = json.dumps({"token": token, "holder": asdict(holder)}).encode()
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
        raise SettingsInvalid(
            f"the object {name} in the evidence bucket is none of ours", "look at it, and remove it by hand"
        ) from error
    return dict(body)
