"""An incident as it is judged by this site's promises: what a person, a program and the report are shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checks.incident import (
    OpenTask,
    acknowledged_by,
    contradictions,
    handed_over_to,
    open_tasks,
    state_of,
    waiting_plans,
)
from checks.objectives import Measured, exact_span, incident_metrics, metric_rows
from checks.severity import owner_of, post_mortem_due, response_due
from recovery.facts import Incident, Moment
from recovery.settings import Settings
from recovery.settings.promises import Contact


@dataclass(frozen=True)
class IncidentView:
    """An incident, and what follows from it here."""

    incident: Incident
    state: str
    metrics: tuple[Measured, ...]
    severity_means: str
    response_within: str
    response_due: datetime | None
    response_met: bool | None
    acknowledged_by: str
    owner_role: str
    owner: Contact | None
    post_mortem_due: datetime | None
    handed_over_to: tuple[str, ...]
    waiting_plans: Mapping[str, datetime]
    open_tasks: tuple[OpenTask, ...]
    contradictions: tuple[str, ...]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The runbook's metrics table."""
        return metric_rows(self.metrics)

    @property
    def left_to_do(self) -> list[str]:
        """What is left to do, a line each."""
        known = self.incident
        left = [
            f"approve or refuse plan {plan[:12]} until {until:%H:%M:%S} UTC: recover approve {known.id} --by NAME --reason TEXT"
            for plan, until in self.waiting_plans.items()
        ]
        left += [f"{one.name}: {one.command}" if one.command else one.name for one in self.open_tasks]
        if self.state == "open":
            left.insert(0, f"it is not recovered: run its scenario again with --incident {known.id}")
        left += [f"look at this: {one}" for one in self.contradictions]
        if known.closed_at or known.drill:
            return left
        if Moment.ACKNOWLEDGED not in known.moments:
            left.append(f"acknowledge it: recover incident ack {known.id} --by NAME")
        if self.post_mortem_due:
            owner = f"{self.owner.name}, {self.owner.contact}" if self.owner else "not in the contacts"
            role = self.owner_role.replace("_", " ")
            left.append(f"post-mortem by {self.post_mortem_due:%Y-%m-%d} ({role}: {owner})")
            left.append(f"then close it: recover incident close {known.id} --by NAME --causes TEXT")
        return left

    def as_json(self) -> dict[str, Any]:
        """The same for programs: moments in ISO 8601, time spans in seconds, null for what is not known."""
        known = self.incident
        return {
            "incident": known.id,
            "scenario": known.scenario or None,
            "handed_over_to": list(self.handed_over_to),
            "state": self.state,
            "drill": known.drill,
            "summary": known.summary,
            "severity": known.severity or None,
            "moments": {one.value: known.moments.get(one) for one in Moment},
            "acknowledged_by": self.acknowledged_by or None,
            "response_due": self.response_due,
            "response_met": self.response_met,
            "recovery_point": known.recovery_point,
            "metrics": [_measured(one) for one in self.metrics],
            "waiting_plans": dict(self.waiting_plans),
            "open_tasks": [vars(one) for one in self.open_tasks],
            "contradictions": list(self.contradictions),
            "post_mortem_due": self.post_mortem_due,
            "owner": {"role": self.owner_role, **(self.owner.model_dump() if self.owner else {})},
            "closed_at": known.closed_at,
            "causes": known.causes or None,
        }


def view_of(known: Incident, settings: Settings, now: datetime) -> IncidentView:
    """What follows from an incident by the settings' promises, levels and contacts."""
    due, role, first = response_due(known, settings.severity), owner_of(known.scenario), acknowledged_by(known)
    level = next((level for name, level in settings.severity.items() if name == known.severity), None)
    return IncidentView(
        incident=known,
        state=state_of(known),
        metrics=incident_metrics(settings.objectives, known),
        severity_means=level.description if level else "",
        response_within=(
            "at once"
            if level.response_minutes == 0
            else f"within {exact_span(timedelta(minutes=level.response_minutes))}"
        )
        if level
        else "",
        response_due=due,
        response_met=_response_met(due, known.moments, level.response_minutes if level else 0, now),
        acknowledged_by=first.by if first else "",
        owner_role=role,
        owner=settings.contacts.get(role),
        post_mortem_due=post_mortem_due(known),
        handed_over_to=handed_over_to(known),
        waiting_plans=waiting_plans(known, now),
        open_tasks=open_tasks(known),
        contradictions=contradictions(known.moments),
    )


def _response_met(due: datetime | None, moments: Mapping[Moment, datetime], minutes: int, now: datetime) -> bool | None:
    """Whether somebody answered in time; None while there is time, and for "immediate", which no clock can tell."""
    if due is None:
        return None
    answered = moments.get(Moment.ACKNOWLEDGED)
    if answered is None:
        return False if now > due and minutes else None
    return answered <= due if minutes else None


def _measured(one: Measured) -> dict[str, Any]:
    return {
        "metric": one.metric,
        "target_seconds": one.target.total_seconds(),
        "actual_seconds": None if one.actual is None else one.actual.total_seconds(),
        "met": one.met,
    }
