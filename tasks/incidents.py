"""What a scenario notes of its incident: opened, detected, decided, done, recovered; and what it measured."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from checks.incident import incident_refusal, stays_recovered, worse_severity
from checks.objectives import incident_metrics, metric_rows
from recovery import stopping
from recovery.errors import RecoveryError
from recovery.facts import Incident, Moment
from recovery.gate import require
from recovery.incident import IncidentFolder, new_incident_id, open_incident_folder
from recovery.journal import Journal, current_journal
from recovery.site import site
from tasks.artifacts import publish_table
from tasks.current_incident import SITE_HELD, IncidentRun, current, enter, moment_text
from tasks.evidence import keep_evidence
from tasks.incident_copies import IncidentCopies, noted_elsewhere
from tasks.known_incidents import read_incidents
from tasks.step import note, warn

_LOOK_SECONDS = 5.0  # a recovery begins without what others noted
_HISTORY_SECONDS = 4.0

__all__ = [
    "in_incident",
    "keep_evidence",
    "leave_incident",
    "note_event",
    "note_moment",
    "open_incident",
    "past_incidents",
    "publish_metrics",
    "read_incident",
    "recovered",
    "set_severity",
    "worst_severity",
]


def open_incident(
    scenario: str, incident: str | None, *, drill: bool = False, summary: str = "", part: str = ""
) -> IncidentFolder:
    """Open an incident, or go on with the one that is given; what this run notes from now on belongs to it.

    `part` is what of the site the run is about, where a scenario knows several.

    Idempotent: one that is open already is not opened again. What other machines noted is read from the bucket when
    that answers.
    Raises: GateRefused for another scenario's incident, unless that handed over. SettingsInvalid for a wrong name.
    """
    folder = open_incident_folder(site().incidents_dir, incident or new_incident_id())
    learned = _learn(folder) if incident else True
    known = folder.read()
    require(
        incident_refusal(known, scenario, drill=drill),
        next_step="leave out --incident for a new one; recover incident list shows those that are known",
    )
    run = IncidentRun(folder, current_journal(), IncidentCopies(folder), bucket_is_silent=not learned)
    enter(run)
    if incident:
        run.copies.copy_all()
    if known.closed_at:
        run.note("opened again", closing=moment_text(known.closed_at))
        note(f"incident {folder.id} was closed at {known.closed_at:%Y-%m-%d %H:%M:%S} UTC; it is open again")
    elif not known.of_kind("opened"):
        run.note("opened", scenario=scenario, drill=drill, summary=summary)
    else:
        note(f"going on with incident {folder.id}, opened {known.of_kind('opened')[0].at:%Y-%m-%d %H:%M:%S} UTC")
    about = {"part": part} if part else {}
    run.note("run", by=_user(), phase="begin", scenario=scenario, drill=drill, **about, **_whereabouts(run.journal))
    if held := SITE_HELD.get():
        run.note("lease", **held)
    return folder


def leave_incident(outcome: str) -> None:
    """Note how the run ended, and give the last copies some seconds."""
    if run := current():
        run.note("run", by=_user(), phase="end", outcome=outcome, run=run.name)
        run.finish_copies()


@contextmanager
def in_incident(
    scenario: str, incident: str | None, *, drill: bool = False, summary: str = "", part: str = ""
) -> Iterator[IncidentFolder]:
    """Open an incident, and note how what is done in here ends."""
    folder = open_incident(scenario, incident, drill=drill, summary=summary, part=part)
    try:
        yield folder
    except BaseException as error:
        with stopping.finishing():
            leave_incident(f"failed: {type(error).__name__}: {error}")
        raise
    leave_incident("done")


def note_event(event: str, *, by: str = "", **details: Any) -> None:
    """Note something that happened in this run's incident."""
    if run := current():
        run.note(event, by=by, **details)


def note_moment(moment: Moment, at: datetime | None = None, *, by: str = "", stated: bool = False) -> None:
    """Note one of the incident's moments: now, or as a person stated it, which counts before what runs see."""
    if run := current():
        said = {"stated": True} if stated else {}
        run.note(moment.value, by=by, moment=moment_text(at or datetime.now(UTC)), **said)


def set_severity(severity: str) -> str:
    """Note how bad it is, when that is worse than what is known; returns the incident's severity.

    What is half repaired looks better than it was: a run raises the severity and never lowers it.
    """
    if not (run := current()):
        return severity
    known = run.folder.read()
    if worse_severity(severity, known.severity):
        run.note("severity", severity=severity)
    return worst_severity(severity, known)


def worst_severity(severity: str, known: Incident | None) -> str:
    """This severity, or that of the incident when that is worse."""
    return severity if known is None or worse_severity(severity, known.severity) else known.severity


def recovered(recovery_point: datetime | None, data_loss: timedelta | None) -> None:
    """Note that the application's own health is green again, and what was lost.

    Idempotent: who looks again at what stayed well does not make the incident longer.
    """
    run = current()
    if run is None or stays_recovered(run.folder.read()):
        return
    loss = None if data_loss is None else data_loss.total_seconds()
    now = datetime.now(UTC)
    run.note("recovered", moment=moment_text(now), recovery_point=moment_text(recovery_point), data_loss_seconds=loss)


def read_incident(folder: IncidentFolder) -> Incident:
    """What is known of an incident on this machine."""
    return folder.read()


def publish_metrics(incident: Incident) -> list[dict[str, str]]:
    """Show the runbook's metrics table; its rows."""
    rows = metric_rows(incident_metrics(site().settings.objectives, incident))
    publish_table("incident-metrics", rows, f"Recovery metrics of {incident.id}")
    return rows


def past_incidents() -> tuple[Incident, ...]:
    """What former incidents and drills told, for the plan's estimates: from this machine, and the bucket when it answers.

    Waits: some seconds for a bucket that hangs, and not at all when it was silent in this run.
    """
    run = current()
    if run and (run.bucket_is_silent or run.copies.trouble):
        return read_incidents(seconds=None).incidents
    found = read_incidents(seconds=_HISTORY_SECONDS)
    if found.unseen:
        warn(f"estimates are made without some former incidents: {'; '.join(found.unseen)}")
    return found.incidents


def _learn(folder: IncidentFolder) -> bool:
    """Read what other machines noted; whether the bucket answered."""
    try:
        folder.learn(noted_elsewhere(folder.id, seconds=_LOOK_SECONDS))
    except (OSError, RecoveryError) as error:
        problem = error.problem if isinstance(error, RecoveryError) else str(error)
        warn(f"what other machines noted of {folder.id} could not be read: {problem}")
        return False
    return True


def _whereabouts(journal: Journal | None) -> dict[str, Any]:
    begun = next((one for one in journal.entries() if one["event"] == "run begin"), {}) if journal else {}
    return {
        "run": journal.run_id if journal else None,
        "runbook": begun.get("name"),
        "flow_run_id": begun.get("flow_run_id"),
        "machine": socket.gethostname(),
        "pid": os.getpid(),
    }


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
