"""What the timeline shows, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from checks.objectives import exact_span
from recovery.facts import Incident, IncidentEvent, Moment
from recovery.facts.incident import span_of
from tasks.incident_report.document import Bar, Lane, Timeline
from tasks.incident_report.gathered import Approval, Gathered
from tasks.incident_report.runs import RunStory
from tasks.incident_report.sentences import sentence

_STRETCHES = (
    ("detection", Moment.OCCURRED, Moment.DETECTED),
    ("acknowledgment", Moment.DETECTED, Moment.ACKNOWLEDGED),
    ("decision", Moment.DETECTED, Moment.DECIDED),
    ("recovery", Moment.OCCURRED, Moment.RECOVERED),
    ("recovery, from detection", Moment.DETECTED, Moment.RECOVERED),
)
_NAME = 44


def timeline(found: Gathered) -> Timeline:
    """From what broke to what is well again: the promises' stretches, approvals, runs and their steps, actions."""
    known = found.view.incident
    return Timeline((*_stretches(known), *_waits(found), *map(_run, found.runs), *_actions(known)))


def _stretches(known: Incident) -> Iterator[Lane]:
    for name, begin, end in _STRETCHES:
        if name == "recovery, from detection" and Moment.OCCURRED in known.moments:
            continue
        took = known.took(begin, end)
        if took is not None:
            early, late = known.moments[begin], known.moments[end]
            tip = f"{name}: {exact_span(took)} ({begin} {early:%H:%M:%S}, {end} {late:%H:%M:%S} UTC)"
            yield Lane(f"{name}: {exact_span(took)}", (Bar(early.timestamp(), late.timestamp(), "promise", tip),))


def _waits(found: Gathered) -> Iterator[Lane]:
    bars = tuple(_wait(one, one.asked_at) for one in found.approvals if one.asked_at)
    if bars:
        yield Lane("waiting for a person", bars)


def _wait(one: Approval, asked_at: datetime) -> Bar:
    end = one.at.timestamp() if one.at else None
    return Bar(asked_at.timestamp(), end, "wait", f"plan {one.plan[:12]}: {one.word} {one.by}")


def _run(one: RunStory) -> Lane:
    end = one.end.timestamp() if one.end else None
    whole = Bar(one.begin.timestamp(), end, "run", f"{one.run}: {one.outcome}")
    steps = [
        Bar(
            step.begin.timestamp(),
            (step.begin + step.seconds).timestamp() if step.seconds is not None else None,
            "failed" if step.outcome in ("failed", "never ended") else step.kind,
            f"{step.begin:%H:%M:%S} {step.kind} {step.name}: {step.outcome} {step.said}",
        )
        for step in one.steps
        if step.kind in ("probe", "action", "verify")
    ]
    return Lane((f"run on {one.machine}" if one.machine else "run")[:_NAME], (whole, *steps))


def _actions(known: Incident) -> Iterator[Lane]:
    bars = tuple(
        Bar((one.at - _lasted(one)).timestamp(), one.at.timestamp(), "action", f"{one.at:%H:%M:%S} {sentence(one)}")
        for one in known.of_kind("action")
    )
    if bars:
        yield Lane("actions", bars)


def _lasted(one: IncidentEvent) -> timedelta:
    """How long an action took that was noted at its end; one that was noted as it began does not say."""
    return max(timedelta(0), span_of(one.details.get("seconds")) or timedelta(0))
