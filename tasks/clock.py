"""When it happened, when it was noticed, who answered: what a run is told of the incident's moments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from checks.incident import handed_over_to, open_tasks, parts_of, stays_recovered, task_name
from checks.moment import read_moment
from recovery.errors import GateRefused, RecoveryError
from recovery.facts import Incident, Moment
from recovery.gate import require
from recovery.incident import IncidentFolder, incident_id_refusal, open_incident_folder
from recovery.site import site
from tasks.incident_copies import IncidentCopies, noted_elsewhere
from tasks.incidents import note_moment
from tasks.known_incidents import read_incidents
from tasks.step import warn

_LOOK_SECONDS = 5.0

_SAME_NIGHT = timedelta(hours=24)


@dataclass(frozen=True)
class Clock:
    """The moments that whoever starts a run knows of."""

    occurred: datetime | None
    detected: datetime | None
    started_by: str | None
    begun: datetime  # the run: who is told nothing has noticed it then


def read_clock(occurred: str | None, detected: str | None, started_by: str | None) -> Clock:
    """The moments as they were typed; a run that is told nothing has noticed it itself, at its begin.

    Raises: GateRefused for what is no moment, or is still to come.
    """
    now = datetime.now(UTC)
    found = {name: _past(name, text, now) for name, text in (("occurred", occurred), ("detected", detected)) if text}
    return Clock(found.get("occurred"), found.get("detected"), started_by, now)


def note_clock(clock: Clock, first_trace: datetime | None) -> None:
    """Note when it began, when it was noticed, and that a person who starts a run has answered.

    What was typed counts before what a run has seen by itself.
    """
    began = clock.occurred or first_trace
    if began:
        note_moment(Moment.OCCURRED, began, stated=clock.occurred is not None)
    note_moment(Moment.DETECTED, clock.detected or clock.begun, stated=clock.detected is not None)
    if clock.started_by:
        note_moment(Moment.ACKNOWLEDGED, by=clock.started_by)


def incident_under_way(scenario: str, part: str, *, drill: bool) -> str | None:
    """The incident of this scenario that is neither recovered nor closed on this machine: who runs it again means that.

    The newest one, when there are several. One that is about another part of the site, of which nothing was heard for a
    day, or that was handed over, is another trouble: its clock is not tonight's.
    """
    known = read_incidents(seconds=None).incidents  # one that cannot be read must not end a recovery
    going = [one for one in known if _goes_on(one, scenario, drill) and part in (parts_of(one) or {part})]
    return max(going, key=lambda one: one.events[-1].at).id if going else None


def known_incident(incident: str | None) -> Incident | None:
    """What is known on this machine of the incident that a run belongs to; None when it belongs to none yet.

    Raises: GateRefused for a name that cannot be one.
    """
    if incident is None:
        return None
    require(incident_id_refusal(incident), next_step="write it as the tracker calls it, e.g. INC-4711")
    return IncidentFolder(incident, site().incidents_dir / incident).read()


def is_known(incident: str) -> bool:
    """Whether something was noted of this incident before, on whichever machine; when nobody can tell, it may be.

    Waits: some seconds for a bucket that hangs.
    """
    if any(one.id == incident and one.events for one in read_incidents(seconds=None).incidents):
        return True
    try:
        return bool(noted_elsewhere(incident, seconds=_LOOK_SECONDS))
    except RecoveryError:
        return True


def _goes_on(one: Incident, scenario: str, drill: bool) -> bool:
    if not one.events or one.scenario != scenario or one.drill != drill:
        return False
    over = one.closed_at or stays_recovered(one) or handed_over_to(one)
    return not over and datetime.now(UTC) - one.events[-1].at < _SAME_NIGHT


def _past(name: str, text: str, now: datetime) -> datetime:
    moment = read_moment(text)
    if not isinstance(moment, datetime):
        raise GateRefused(f"{name}: {moment.problem}", moment.next_step)
    if moment > now:
        raise GateRefused(f"{name}: {moment:%Y-%m-%d %H:%M:%S} UTC is still to come", "name a moment that has passed")
    return moment


def scaled_in(incident: str | None, deployment: str) -> None:
    """Note in every incident that has it open, whichever machine opened it, that the size is the former one again."""
    done = {"task": "scale-back", "deployment": deployment}
    seen = read_incidents(seconds=_LOOK_SECONDS)
    for one in seen.unseen:
        warn(f"whether an incident has {task_name(done)} open could not be looked at: {one}")
    if incident and incident not in {known.id for known in seen.incidents}:
        warn(f"incident {incident} is not known here: nothing is noted of it")
    for known in seen.incidents:
        if incident in (None, known.id) and task_name(done) in {task.name for task in open_tasks(known)}:
            folder = open_incident_folder(site().incidents_dir, known.id)
            folder.note("task done", **done)
            copies = IncidentCopies(folder)
            copies.copy_all()
            if trouble := copies.finish():
                warn(f"that {task_name(done)} is done is noted for incident {known.id} on this machine only: {trouble}")
