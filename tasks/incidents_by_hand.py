"""What a person notes of an incident, before, beside and after the runs: seen, acknowledged, closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from checks.incident import acknowledged_by, closed_refusal, contradictions, future_refusal
from checks.parameters import parameter_values_refusal
from recovery.errors import GateRefused, RecoveryError
from recovery.facts import Incident, Moment
from recovery.gate import require
from recovery.incident import IncidentFolder, new_incident_id, open_incident_folder
from recovery.site import site
from tasks.current_incident import moment_text
from tasks.incident_copies import IncidentCopies, noted_elsewhere
from tasks.known_incidents import LOOK_SECONDS, find_incident

_NEXT_MOMENT = "look at the clock and the zone, and write it again"


@dataclass(frozen=True)
class Told:
    """What was noted, as it is now; why others may not see it yet, and what was not looked at."""

    incident: Incident
    said: str
    unseen: tuple[str, ...] = ()


def open_by_hand(
    incident_id: str | None,
    moments: Mapping[Moment, datetime],
    *,
    scenario: str = "",
    severity: str = "",
    summary: str = "",
    by: str = "",
) -> Told:
    """Open an incident before any run, or add to one when it occurred or was detected."""
    _require_words({"--summary": summary or None, "--by": by or None})
    _require_past(moments)
    folder, unseen = _folder(incident_id or new_incident_id(), given=incident_id is not None)
    known = folder.read()
    require(closed_refusal(known), next_step="leave out --incident for a new one")
    is_new = not known.of_kind("opened")
    _require_order({**known.moments, **moments})
    if known.scenario and scenario not in ("", known.scenario):
        raise GateRefused(f"{folder.id} is an incident of {known.scenario}", "leave out --scenario, or --incident")
    if is_new:
        folder.note("opened", by=by, scenario=scenario, severity=severity, summary=summary, drill=False)
    elif severity and severity != known.severity:
        folder.note("severity", by=by, severity=severity)
    if is_new and Moment.DETECTED not in moments:
        folder.note(Moment.DETECTED.value, by=by, moment=moment_text(datetime.now(UTC)))
    for moment, at in moments.items():  # what a person says counts in place of what was noted before
        folder.note(moment.value, by=by, moment=moment_text(at), stated=True)
    said = f"Incident {folder.id} is open." if is_new else f"Noted with incident {folder.id}."
    return _told(folder, said, unseen)


def acknowledge(incident_id: str, *, by: str, at: datetime | None) -> Told:
    """Note that somebody took an incident on. Idempotent: the first one counts."""
    _require_words({"--by": by})
    known, unseen = find_incident(incident_id)
    require(closed_refusal(known), next_step="a new run with --incident opens it again; else open a new one")
    if first := acknowledged_by(known):
        when = known.moments[Moment.ACKNOWLEDGED]
        said = (
            f"{known.id} was acknowledged by {first.by or 'a run'} at {when:%Y-%m-%d %H:%M:%S} UTC: the first counts."
        )
        return Told(known, said, unseen)
    moment = at or datetime.now(UTC)
    _require_past({Moment.ACKNOWLEDGED: moment})
    _require_order({**known.moments, Moment.ACKNOWLEDGED: moment})
    folder, unseen = _folder(known.id, given=True)
    folder.note(Moment.ACKNOWLEDGED.value, by=by.strip(), moment=moment_text(moment))
    return _told(folder, f"{known.id} is acknowledged by {by.strip()}.", unseen)


def close(incident_id: str, *, by: str, causes: str) -> Told:
    """Note that an incident is over and what caused it."""
    _require_words({"--by": by, "--causes": causes})
    known, _ = find_incident(incident_id)
    require(closed_refusal(known), next_step="nothing is left to do; a new run with --incident opens it again")
    folder, unseen = _folder(known.id, given=True)
    folder.note("closed", by=by.strip(), causes=causes.strip())
    never = "" if Moment.RECOVERED in known.moments else " It was never noted as recovered."
    return _told(folder, f"{known.id} is closed.{never}", unseen)


def _folder(incident_id: str, *, given: bool) -> tuple[IncidentFolder, tuple[str, ...]]:
    """The incident's folder here, with what others noted when the bucket answers."""
    folder = open_incident_folder(site().incidents_dir, incident_id)
    if given:
        try:
            folder.learn(noted_elsewhere(incident_id, seconds=LOOK_SECONDS))
        except RecoveryError as error:
            return folder, (f"what other machines noted of {incident_id}: {error.problem}",)
    return folder, ()


def _told(folder: IncidentFolder, said: str, unseen: tuple[str, ...]) -> Told:
    copies = IncidentCopies(folder)
    copies.copy_all()
    trouble = copies.finish(None if unseen else LOOK_SECONDS)  # a bucket that was silent is not waited for again
    missed = (f"the bucket, which does not have this yet: {trouble}",) if trouble else ()
    return Told(folder.read(), said, (*unseen, *missed))


def _require_words(given: Mapping[str, str | None]) -> None:
    require(parameter_values_refusal(given), next_step="say it in plain words: it is kept with the incident")


def _require_past(moments: Mapping[Moment, datetime]) -> None:
    now = datetime.now(UTC)
    for moment, at in moments.items():
        require(future_refusal(moment.value, at, now), next_step=_NEXT_MOMENT)


def _require_order(moments: Mapping[Moment, datetime]) -> None:
    require(
        next(iter(contradictions({one: at for one, at in moments.items() if one is not Moment.RECOVERED})), None),
        next_step="correct the time; what was noted wrong is corrected with: recover incident open --incident ID",
    )
