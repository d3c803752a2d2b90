"""What may be done with an incident, by a run or by a person, and what of it is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from recovery.facts import Incident, IncidentEvent, Moment
from recovery.facts.incident import moment_of

# No more: a run may recover a site by itself before anybody has acknowledged.
_ORDER = (
    (Moment.OCCURRED, Moment.DETECTED),
    (Moment.DETECTED, Moment.ACKNOWLEDGED),
    (Moment.DETECTED, Moment.DECIDED),
    (Moment.DETECTED, Moment.RECOVERED),
)
# A clock that is a little ahead is no word about the future.
_CLOCKS_DIFFER = timedelta(seconds=30)


@dataclass(frozen=True)
class OpenTask:
    """Something that a run left to be done later, and the command that does it."""

    name: str
    command: str
    since: datetime


def incident_refusal(known: Incident, scenario: str, *, drill: bool) -> str | None:
    """Why a run of this scenario must not go on with this incident, or None. One that nobody noted yet takes any."""
    if not known.events:
        return None
    if drill and not known.drill:
        return f"{known.id} is a real incident: a drill would break what is being recovered"
    if known.scenario in ("", scenario) or scenario in handed_over_to(known):
        return None
    return f"{known.id} is an incident of {known.scenario}, and nothing was handed over to {scenario}"


def parts_of(known: Incident) -> frozenset[str]:
    """The parts of the site that its runs were about: backend, frontend."""
    return frozenset(str(one.details["part"]) for one in known.of_kind("run") if one.details.get("part"))


def handed_over_to(known: Incident) -> tuple[str, ...]:
    """The scenarios that it was handed over to."""
    return tuple(str(one.details.get("to", one.details.get("scenario", ""))) for one in known.of_kind("handed over"))


def stays_recovered(known: Incident) -> bool:
    """Whether it was recovered and nothing was done since."""
    since = None
    for one in known.events:
        if one.event == Moment.RECOVERED:
            since = one.at
        elif one.event in ("action", "option", "opened again"):
            since = None
    return since is not None


def worse_severity(severity: str, known: str) -> bool:
    """Whether this is worse than what is known: SEV-1 is the worst."""
    return severity != known and (not known or severity < known)


def state_of(known: Incident) -> str:
    """How far it is, in a word."""
    if known.closed_at:
        return "closed"
    return "recovered" if stays_recovered(known) else "open"


def needs_somebody(known: Incident) -> bool:
    """Whether something is left to do: a drill that was recovered needs no closing."""
    state = state_of(known)
    return bool(open_tasks(known)) or state == "open" or (state == "recovered" and not known.drill)


def open_tasks(known: Incident) -> tuple[OpenTask, ...]:
    """What runs left to be done later and nobody has done yet."""
    found: dict[str, OpenTask] = {}
    for one in known.of_kind("open task", "task done"):
        name = task_name(one.details)
        if one.event == "task done":
            found.pop(name, None)
        elif name not in found:
            found[name] = OpenTask(name, str(one.details.get("command", "")), one.at)
    return tuple(found.values())


def waiting_plans(known: Incident, now: datetime) -> dict[str, datetime]:
    """The plans that wait for a person's answer, each with until when."""
    waiting: dict[str, datetime] = {}
    for one in known.of_kind("approval asked", "approval", "approval unanswered"):
        plan, until = str(one.details.get("digest", "")), moment_of(one.details.get("until"))
        if one.event == "approval asked":  # nobody waits for what was asked before
            waiting = {plan: until} if until and until > now else {}
        else:
            waiting.pop(plan, None)
    return waiting


def task_name(details: Mapping[str, Any]) -> str:
    """What is to be done, and to what: `scale-back of clickview-backend`."""
    name, what = str(details.get("name", details.get("task", ""))), details.get("deployment")
    return f"{name} of {what}" if what else name


def acknowledged_by(known: Incident) -> IncidentEvent | None:
    """Who was the first to acknowledge it."""
    return next(iter(known.of_kind(Moment.ACKNOWLEDGED)), None)


def future_refusal(what: str, at: datetime, now: datetime) -> str | None:
    """Why this cannot be when something happened, or None."""
    return f"{what} lies in the future: {at:%Y-%m-%d %H:%M:%S} UTC" if at > now + _CLOCKS_DIFFER else None


def closed_refusal(known: Incident) -> str | None:
    """Why nothing more is noted of it, or None."""
    if known.closed_at is None:
        return None
    by = next((one.by for one in known.of_kind("closed") if one.at == known.closed_at), "") or "somebody"
    return f"{known.id} was closed by {by} at {known.closed_at:%Y-%m-%d %H:%M:%S} UTC"


def contradictions(moments: Mapping[Moment, datetime]) -> tuple[str, ...]:
    """Moments that cannot be true together: clocks differ, or somebody typed a wrong one."""
    return tuple(
        f"{after} at {moments[after]:%Y-%m-%d %H:%M:%S} UTC is before {before} at {moments[before]:%Y-%m-%d %H:%M:%S} UTC"
        for before, after in _ORDER
        if before in moments and after in moments and moments[after] < moments[before] - _CLOCKS_DIFFER
    )
