"""The promises against what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from recovery.facts import Incident, Moment, ReachedPoint, RecoveryTarget, ServerFacts, TargetKind
from recovery.settings import ObjectivesSettings


@dataclass(frozen=True)
class Measured:
    """One promise: what was promised and what was measured; `at_least` when only a part of it is known."""

    metric: str
    target: timedelta
    actual: timedelta | None
    at_least: timedelta | None = None

    @property
    def met(self) -> bool | None:
        if self.actual is not None:
            return self.actual < self.target
        return False if self.at_least is not None and self.at_least >= self.target else None


def measured_recovery(
    objectives: ObjectivesSettings, recovery: timedelta, loss: timedelta | None
) -> tuple[Measured, Measured]:
    """The two promises of a restore: recovery time and data loss."""
    return (
        Measured("Time to Recovery", objectives.rto, recovery),
        Measured("Data Loss", objectives.rpo, loss),
    )


def incident_metrics(objectives: ObjectivesSettings, incident: Incident) -> tuple[Measured, ...]:
    """The runbook's table of an incident. What is not known yet has no actual value."""
    return (
        Measured("Time to Detection", objectives.ttd, incident.took(Moment.OCCURRED, Moment.DETECTED)),
        Measured("Time to Acknowledgment", objectives.tta, incident.took(Moment.DETECTED, Moment.ACKNOWLEDGED)),
        Measured(
            "Time to Recovery",
            objectives.rto,
            incident.took(Moment.OCCURRED, Moment.RECOVERED),
            # When it began is not always known; that it was noticed is.
            at_least=incident.took(Moment.DETECTED, Moment.RECOVERED),
        ),
        Measured("Data Loss", objectives.rpo, incident.data_loss),
    )


def metric_rows(measured: Iterable[Measured]) -> list[dict[str, str]]:
    """The runbook's table as a person reads it. What is not known has no time, and is neither met nor missed."""
    met = {True: "yes", False: "NO", None: ""}
    return [
        {
            "Metric": one.metric,
            "Target": f"< {exact_span(one.target)}",
            "Actual": _measured(one),
            "Met": met[one.met],
        }
        for one in measured
    ]


def _measured(one: Measured) -> str:
    if one.actual is None and one.at_least is not None:
        return f"at least {exact_span(one.at_least)}"
    return exact_span(one.actual)


def recovery_point(reached: ReachedPoint) -> datetime | None:
    """The newest moment that a copy surely holds: its last commit or its last heartbeat."""
    return max((at for at in (reached.last_commit_at, reached.heartbeat_at) if at), default=None)


def data_loss(
    reached: ReachedPoint, target: RecoveryTarget, server: ServerFacts | None, now: datetime
) -> timedelta | None:
    """What is missing in the copy: up to the moment asked for, or else up to the site's last heartbeat.

    None when the point was chosen by position or by backup: then nothing else was wanted.
    """
    point = recovery_point(reached)
    if point is None or target.kind in (TargetKind.LSN, TargetKind.NAME, TargetKind.BACKUP):
        return None
    wanted = target.moment if target.kind is TargetKind.TIME else (server.heartbeat_at if server else now)
    return max(timedelta(0), (wanted or now) - point)


def shown_span(span: timedelta | None) -> str:
    """A time span as a person reads it."""
    if span is None:
        return "as asked"
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def exact_span(span: timedelta | None) -> str:
    """A time span to the second, as a person says it: `3 h 59 min`, never 4 h where 4 h are the promise."""
    if span is None:
        return "not known"
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds else "0 s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    if rest and not days and not hours:
        parts.append(f"{rest} s")
    return " ".join(one for one in parts if one)
