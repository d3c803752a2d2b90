"""What former incidents and drills tell: how long things took, and how often promises were met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from checks.objectives import incident_metrics
from recovery.facts import Incident
from recovery.facts.incident import span_of
from recovery.settings import ObjectivesSettings


@dataclass(frozen=True)
class MetricHistory:
    """One metric of all incidents, or of all drills, of one scenario. `known` of `count` have an actual value."""

    scenario: str
    kind: str
    metric: str
    count: int
    known: int
    median: timedelta | None
    worst: timedelta | None
    met: int


def metric_history(incidents: Iterable[Incident], objectives: ObjectivesSettings) -> tuple[MetricHistory, ...]:
    """Per scenario and kind, the runbook's four metrics: how many, median, worst, how many met."""
    groups: dict[tuple[str, str], list[Incident]] = {}
    for one in incidents:
        groups.setdefault((one.scenario or "not known", "drill" if one.drill else "incident"), []).append(one)
    return tuple(row for key in sorted(groups) for row in _rows(*key, groups[key], objectives))


def median_recoveries(incidents: Iterable[Incident], scenario: str) -> dict[str, timedelta]:
    """How long each option of a scenario usually took until the application was well again."""
    spans: dict[str, list[timedelta]] = {}
    for one in incidents:
        for event in one.of_kind("option"):
            span = span_of(event.details.get("seconds"))
            ended = event.details.get("outcome") == "recovered" and span is not None and span >= timedelta(0)
            if ended and span is not None and str(event.details.get("scenario") or one.scenario) == scenario:
                spans.setdefault(str(event.details.get("option", "")), []).append(span)
    return {option: found for option, known in spans.items() if (found := _median(known)) is not None}


def _rows(
    scenario: str, kind: str, incidents: list[Incident], objectives: ObjectivesSettings
) -> Iterable[MetricHistory]:
    for column in zip(*(incident_metrics(objectives, one) for one in incidents), strict=True):
        known = [one.actual for one in column if one.actual is not None]
        yield MetricHistory(
            scenario=scenario,
            kind=kind,
            metric=column[0].metric,
            count=len(incidents),
            known=len(known),
            median=_median(known),
            worst=max(known, default=None),
            met=sum(one.met is True for one in column),
        )


def _median(spans: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(one.total_seconds() for one in spans)) if spans else None
