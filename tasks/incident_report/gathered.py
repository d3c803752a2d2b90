"""Everything that is known of an incident: its events, the journals of its runs, its approvals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from checks.incident_view import IncidentView
from recovery.approval import Approvals
from recovery.errors import RecoveryError
from recovery.facts import Incident, IncidentEvent
from recovery.facts.incident import moment_of
from recovery.incident import IncidentFolder
from recovery.site import site
from tasks.incident_report.runs import RunStory, run_stories


@dataclass(frozen=True)
class Approval:
    """A question and what was answered. `by` is as claimed; `user` is who the machine or the API knows."""

    plan: str
    asked_at: datetime | None
    at: datetime | None
    word: str
    by: str
    user: str
    way: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """A file that was kept, and whether it is what it was."""

    name: str
    file: str
    bytes: str
    sha256: str
    today: str


@dataclass(frozen=True)
class Gathered:
    """What the report is made from."""

    view: IncidentView
    runs: tuple[RunStory, ...]
    approvals: tuple[Approval, ...]
    evidence: tuple[Evidence, ...] = ()


def gather(view: IncidentView, *, look_in_bucket: bool) -> Gathered:
    """Read the journals (here, else in the bucket) and the approvals of an incident."""
    known = view.incident
    runs = run_stories(known, look_in_bucket=look_in_bucket)
    return Gathered(view, runs, _approvals(known), tuple(map(_evidence(known), known.of_kind("evidence"))))


def _approvals(known: Incident) -> tuple[Approval, ...]:
    """What was asked and answered: from the events, and from the files here of what no run has heard."""
    told = _told(known)
    heard = {(one.plan, one.at) for one in told}
    answered = {one.plan for one in told if one.at}
    try:
        more = [one for one in _on_disk(known) if (one.plan, one.at) not in heard and one.plan not in answered]
    except (RecoveryError, ValueError, TypeError, KeyError):
        more = []
    written = {one.plan for one in more}
    kept = [one for one in told if one.at or one.plan not in written]
    return tuple(sorted((*kept, *more), key=lambda one: one.asked_at or one.at or known.events[0].at))


def _evidence(known: Incident) -> Callable[[IncidentEvent], Evidence]:
    folder = IncidentFolder(known.id, site().incidents_dir / known.id)

    def look(one: IncidentEvent) -> Evidence:
        name, file, size, sha256 = (str(one.details.get(key, "")) for key in ("name", "file", "bytes", "sha256"))
        try:
            now = folder.evidence_now(file)
            today = "not on this machine" if now is None else "as noted" if now.sha256 == sha256 else "CHANGED"
        except RecoveryError as error:
            today = error.problem
        return Evidence(name, file, size, sha256, today)

    return look


def _told(known: Incident) -> list[Approval]:
    asked: dict[str, datetime] = {}
    found = []
    for one in known.of_kind("approval asked", "approval", "approval unanswered"):
        plan = str(one.details.get("digest", one.details.get("plan", "")))
        if one.event == "approval asked":
            asked[plan] = one.at
            continue
        word = {True: "approved", False: "refused"}.get(one.details.get("granted", ""), "not answered")
        words = {key: str(one.details.get(key) or "") for key in ("user", "way", "reason")}
        by = str(one.by or one.details.get("by") or "")
        found.append(
            Approval(plan, asked.pop(plan, None), moment_of(one.details.get("at")) or one.at, word, by, **words)
        )
    return found + [Approval(plan, at, None, "not answered", "", "", "", "") for plan, at in asked.items()]


def _on_disk(known: Incident) -> list[Approval]:
    approvals = Approvals(site().incidents_dir / known.id / "approvals")
    found = []
    for request in approvals.requests():
        said = approvals.answer_of(request)
        if said is None:
            found.append(Approval(request.plan, request.asked_at, None, "not answered", "", "", "", ""))
        else:
            word = "approved" if said.granted else "refused"
            found.append(
                Approval(request.plan, request.asked_at, said.at, word, said.by, said.user, said.way, said.reason)
            )
    return found
