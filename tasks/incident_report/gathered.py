"""Everything that is known of an incident: its events, the journals of its runs, its approvals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checks.incident_view import IncidentView
from recovery.approval import Approvals
from recovery.errors import RecoveryError
from recovery.facts import Incident, IncidentEvent
from recovery.facts.incident import moment_of, span_of
from recovery.incident import IncidentFolder
from recovery.ownership import read_ours
from recovery.site import site
from tasks.incident_copies import within

_RUN = re.compile(r"[A-Za-z0-9][\w.-]{0,150}", re.ASCII)
_LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class RunStep:
    """One step of a run, as its journal tells it."""

    begin: datetime
    kind: str
    name: str
    outcome: str
    seconds: timedelta | None
    said: str


@dataclass(frozen=True)
class RunStory:
    """One run of the incident. Without an outcome it was killed, or still runs."""

    run: str
    title: str
    machine: str
    user: str
    begin: datetime
    end: datetime | None
    outcome: str
    steps: tuple[RunStep, ...]


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
    begun: dict[str, IncidentEvent] = {}
    for number, one in enumerate(known.of_kind("run")):
        if _begins(one):
            begun.setdefault(str(one.details.get("run") or number), one)
    runs = tuple(_story(known, one, look_in_bucket) for one in begun.values())
    return Gathered(view, runs, _approvals(known), tuple(map(_evidence(known), known.of_kind("evidence"))))


def _begins(event: IncidentEvent) -> bool:
    return event.details.get("phase") != "end"


def _story(known: Incident, begun: IncidentEvent, look_in_bucket: bool) -> RunStory:
    """A run that handed over to another scenario, and went on with that, is one run."""
    told = begun.details
    name = str(told.get("run") or "")
    entries = _journal(name, look_in_bucket)
    ends = [one for one in known.of_kind("run") if name and not _begins(one) and one.details.get("run") == name]
    last: dict[str, Any] = next(
        (one for one in reversed(entries) if one.get("event") in ("run done", "run failed")), {}
    )
    outcome = str(ends[-1].details.get("outcome", "")) if ends else str(last.get("error") or last.get("event") or "")
    return RunStory(
        run=name or "a run without a journal",
        title=str(told.get("runbook") or told.get("scenario") or ""),
        machine=str(told.get("machine") or ""),
        user=begun.by,
        begin=min([begun.at, *(at for one in entries[:1] if (at := moment_of(one["at"])))]),
        end=ends[-1].at if ends else moment_of(last.get("at")),
        outcome=outcome or "not known: it was killed, or still runs",
        steps=_steps(entries),
    )


def _journal(run: str, look_in_bucket: bool) -> list[dict[str, Any]]:
    """The entries of a run's journal; nothing when nobody has it."""
    if not _RUN.fullmatch(run):
        return []
    try:
        content = read_ours(site().runs_dir / run / "journal.jsonl")
        if content is None and look_in_bucket:
            content = within(_LOOK_SECONDS, lambda: site().evidence.read(f"runs/{run}/journal.jsonl"))
    except RecoveryError:
        content = None
    return [entry for line in (content or b"").split(b"\n") if (entry := _entry(line))]


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and moment_of(entry.get("at")) else None


def _steps(entries: list[dict[str, Any]]) -> tuple[RunStep, ...]:
    """Steps that ended, those that never did, and what was warned of, in order."""
    found: list[RunStep] = []
    begun: dict[tuple[str, str], datetime] = {}
    for one in entries:
        at, event = moment_of(one["at"]), one.get("event")
        assert at is not None
        kind, name = str(one.get("kind", "")), str(one.get("step", "")).replace("_", " ")
        if event == "begin":
            begun[kind, name] = at
        elif event in ("done", "failed"):
            seconds = span_of(one.get("seconds"))
            begin = begun.pop((kind, name), at - (seconds or timedelta(0)))
            found.append(RunStep(begin, kind, name, event, seconds, str(one.get("error", ""))))
        elif event == "warning":
            found.append(RunStep(at, "warning", "", "", None, str(one.get("message", ""))))
    found += [RunStep(at, kind, name, "never ended", None, "") for (kind, name), at in begun.items()]
    return tuple(sorted(found, key=lambda step: step.begin))


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
    for one in known.of_kind("approval asked", "approval"):  # what nobody answered stays asked
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
