"""What is known of an incident: when what happened, how bad it is, who decided what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Moment(StrEnum):
    """The moments of an incident, in the order in which they are hoped for."""

    OCCURRED = "occurred"
    DETECTED = "detected"
    ACKNOWLEDGED = "acknowledged"
    DECIDED = "decided"
    RECOVERED = "recovered"  # the application's own health checks are green again, not "the command has ended"


@dataclass(frozen=True)
class IncidentEvent:
    """One thing that happened, or that somebody said happened at a moment."""

    at: datetime
    event: str
    details: Mapping[str, Any]
    by: str = ""


@dataclass(frozen=True)
class Incident:
    """An incident as its events tell it."""

    id: str
    scenario: str
    severity: str
    summary: str
    drill: bool
    moments: Mapping[Moment, datetime]
    recovery_point: datetime | None
    data_loss: timedelta | None
    closed_at: datetime | None
    causes: str
    events: tuple[IncidentEvent, ...]

    def of_kind(self, *kinds: str) -> tuple[IncidentEvent, ...]:
        """The events of these kinds, in the order in which they happened."""
        return tuple(one for one in self.events if one.event in kinds)

    def took(self, begin: Moment, end: Moment) -> timedelta | None:
        """From one moment to another; None while one of them is not known."""
        if begin not in self.moments or end not in self.moments:
            return None
        return max(timedelta(0), self.moments[end] - self.moments[begin])


# A moment that several tell: of what began it the earliest counts, of its end the last (it may have broken again).
_LAST = {Moment.RECOVERED}


def incident_of(incident_id: str, events: Iterable[IncidentEvent]) -> Incident:
    """What the events of an incident tell, whoever wrote them and in whichever order they were read."""
    known = tuple(sorted(events, key=lambda one: one.at))
    told = [one for one in known if one.event == "opened"]
    first: Mapping[str, Any] = told[0].details if told else {}
    said = _last_words(known)
    point, loss = said.get("recovery_point"), said.get("data_loss_seconds")
    return Incident(
        id=incident_id,
        scenario=str(first.get("scenario", "")),
        severity=str(said.get("severity", first.get("severity", ""))),
        summary=str(first.get("summary", "")),
        drill=bool(first.get("drill", False)),
        moments=_moments(known),
        recovery_point=datetime.fromisoformat(point) if point else None,
        data_loss=None if loss is None else timedelta(seconds=float(loss)),
        closed_at=_closed(known),
        causes=str(said.get("causes", "")),
        events=known,
    )


def _last_words(events: Iterable[IncidentEvent]) -> dict[str, Any]:
    """What may be said again, and then counts as it was said last."""
    said: dict[str, Any] = {}
    for one in events:
        if one.event in ("severity", "recovered", "closed"):
            said |= {key: value for key, value in one.details.items() if value is not None}
    return said


def _moments(events: Iterable[IncidentEvent]) -> dict[Moment, datetime]:
    found: dict[Moment, datetime] = {}
    for one in events:
        if one.event not in [*Moment]:
            continue
        moment = Moment(one.event)
        when = datetime.fromisoformat(one.details["moment"]) if one.details.get("moment") else one.at
        if moment not in found:
            found[moment] = when
        else:
            found[moment] = max(found[moment], when) if moment in _LAST else min(found[moment], when)
    return found


def _closed(events: Iterable[IncidentEvent]) -> datetime | None:
    closed = None
    for one in events:
        if one.event == "closed":
            closed = one.at
        elif one.event == "opened again":
            closed = None
    return closed
