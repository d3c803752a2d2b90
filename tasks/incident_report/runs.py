"""The runs of an incident as their journals tell them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recovery.errors import RecoveryError
from recovery.facts import Incident, IncidentEvent
from recovery.facts.incident import moment_of, span_of
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


def run_stories(known: Incident, *, look_in_bucket: bool) -> tuple[RunStory, ...]:
    """Every run, oldest first, with the journal that is here, else in the bucket."""
    begun: dict[str, IncidentEvent] = {}
    for number, one in enumerate(known.of_kind("run")):
        if _begins(one):
            begun.setdefault(str(one.details.get("run") or number), one)
    return tuple(_story(known, one, look_in_bucket) for one in begun.values())


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
