"""What is known of an incident: when what happened, how bad it is, who decided what."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

# Machines whose clocks are kept by NTP differ by less. More, and two moments contradict each other.
_CLOCKS_DIFFER = timedelta(seconds=30)


class Moment(StrEnum):
    """The moments of an incident, in the order in which they are hoped for."""

    OCCURRED = "occurred"
    DETECTED = "detected"
    ACKNOWLEDGED = "acknowledged"
    DECIDED = "decided"
    RECOVERED = "recovered"  # the application's own health checks are green again, not "the command has ended"


@dataclass(frozen=True)
class IncidentEvent:
    """One thing that happened, or that somebody said happened at a moment; `writer` is the machine that noted it."""

    at: datetime
    event: str
    details: Mapping[str, Any]
    by: str = ""
    writer: str = ""


@dataclass(frozen=True)
class EvidenceFile:
    """A file that was gathered, as it is kept: secrets are masked in it."""

    name: str
    sha256: str
    bytes: int


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
        """From one moment to another; None while one is not known, or when the two contradict each other."""
        if begin not in self.moments or end not in self.moments:
            return None
        span = self.moments[end] - self.moments[begin]
        return None if span < -_CLOCKS_DIFFER else max(timedelta(0), span)


# A moment that several tell: of what began it the earliest counts, of its end the last (it may have broken again). What
# a person states of it counts before all that runs noted, and the last word of persons.
_LAST = {Moment.RECOVERED}


def incident_of(incident_id: str, told: Iterable[Iterable[IncidentEvent]]) -> Incident:
    """What the events of an incident tell: those of each writer, as they were written one after the other."""
    known = _in_order(told)
    said = _last_words(known)
    first = _first_words(known)
    return Incident(
        id=incident_id,
        scenario=str(first.get("scenario", "")),
        severity=str(said.get("severity", first.get("severity", ""))),
        summary=str(first.get("summary", "")),
        drill=first.get("drill") is True,
        moments=_moments(known),
        recovery_point=moment_of(said.get("recovery_point")),
        data_loss=span_of(said.get("data_loss_seconds")),
        closed_at=_closed(known),
        causes=str(said.get("causes", "")),
        events=known,
    )


def moment_of(value: Any) -> datetime | None:
    """A moment as it is written in an event; None when it is none."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def span_of(seconds: Any) -> timedelta | None:
    """A time span as it is written in an event; None when it is none."""
    try:
        return timedelta(seconds=float(seconds)) if math.isfinite(float(seconds)) else None
    except (ValueError, TypeError, OverflowError):
        return None


def _in_order(told: Iterable[Iterable[IncidentEvent]]) -> tuple[IncidentEvent, ...]:
    """By the clock between writers; what one writer wrote later came later, also when its clock was set back."""
    found: list[tuple[datetime, IncidentEvent]] = []
    for written in told:
        latest = datetime.min.replace(tzinfo=UTC)
        for one in written:
            latest = max(latest, one.at)
            found.append((latest, one))
    return tuple(one for _, one in sorted(found, key=lambda known: known[0]))


def _first_words(events: Iterable[IncidentEvent]) -> dict[str, Any]:
    """What counts as it was said first: by whom opened it, else by the first run that knew."""
    said: dict[str, Any] = {}
    for kinds in (("opened",), ("run",)):
        for one in events:
            if one.event in kinds:
                said = {key: value for key, value in one.details.items() if value not in (None, "")} | said
    return said


def _last_words(events: Iterable[IncidentEvent]) -> dict[str, Any]:
    """What may be said again, and then counts as it was said last."""
    said: dict[str, Any] = {}
    for one in events:
        if one.event in ("severity", "recovered", "closed"):
            said |= {key: value for key, value in one.details.items() if value is not None}
    return said


def _moments(events: Iterable[IncidentEvent]) -> dict[Moment, datetime]:
    found: dict[Moment, datetime] = {}
    stated: set[Moment] = set()
    for one in events:
        if one.event not in [*Moment]:
            continue
        moment = Moment(one.event)
        when = moment_of(one.details.get("moment")) or one.at
        if one.details.get("stated") is True:
            found[moment] = when
            stated.add(moment)
        elif moment not in found:
            found[moment] = when
        elif moment not in stated:
            found[moment] = max(found[moment], when) if moment in _LAST else min(found[moment], when)
    return found


def _closed(events: Iterable[IncidentEvent]) -> datetime | None:
    """When it was closed; who opened it again said which closing that undid, for clocks differ."""
    closings = {one.at for one in events if one.event == "closed"}
    undone = [moment_of(one.details.get("closing")) or one.at for one in events if one.event == "opened again"]
    return max((at for at in closings if all(at > one for one in undone)), default=None)
