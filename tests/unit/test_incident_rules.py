"""Which run may go on with an incident, what is left to do, and what former ones tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.history import median_recoveries, metric_history
from checks.incident import (
    closed_refusal,
    contradictions,
    future_refusal,
    incident_refusal,
    needs_somebody,
    open_tasks,
    state_of,
    waiting_plans,
    worse_severity,
)
from checks.incident_view import view_of
from checks.objectives import exact_span
from recovery.cli.incident import Severity
from recovery.facts import Incident, IncidentEvent, Moment
from recovery.facts.incident import incident_of
from recovery.settings import ObjectivesSettings, Settings
from recovery.settings.promises import SEVERITY

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
REPO = {"bucket": "clickview-backups"}
SITE = Settings.model_validate({"backup": {"encryption_key": "key-of-the-repository", "primary": REPO}})


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(minutes: float, event: str, by: str = "", **details: Any) -> IncidentEvent:
    return IncidentEvent(at(minutes), event, details, by)


def incident(*events: IncidentEvent, scenario: str = "application-failure", drill: bool = False) -> Incident:
    opened = told(0, "opened", scenario=scenario, drill=drill, severity="SEV-2")
    return incident_of("INC-1", [[opened, *events]])


def whole(detected: float, acknowledged: float, recovered: float, **other: Any) -> Incident:
    """One that occurred at noon, with all its moments."""
    return incident(
        told(0, "occurred"),
        told(detected, "detected"),
        told(acknowledged, "acknowledged", by="ada"),
        told(recovered, "recovered", data_loss_seconds=0),
        **other,
    )


def test_a_run_goes_on_with_its_own_scenario_and_with_what_nobody_noted_yet() -> None:
    assert incident_refusal(incident(), "application-failure", drill=False) is None
    assert incident_refusal(incident(scenario=""), "cache-failure", drill=False) is None
    assert incident_refusal(incident_of("INC-1", []), "cache-failure", drill=True) is None
    handed = incident(told(1, "handed over", to="cache-failure"))
    assert incident_refusal(handed, "cache-failure", drill=False) is None
    assert incident_refusal(incident(drill=True), "application-failure", drill=False) is None


def test_and_with_nothing_else() -> None:
    assert incident_refusal(incident(), "cache-failure", drill=False) == (
        "INC-1 is an incident of application-failure, and nothing was handed over to cache-failure"
    )
    assert incident_refusal(incident(), "application-failure", drill=True) == (
        "INC-1 is a real incident: a drill would break what is being recovered"
    )


def test_the_scenario_of_the_first_run_is_that_of_an_incident_that_a_person_opened() -> None:
    known = incident(told(1, "run", scenario="cache-failure"), told(2, "run", scenario="database-failure"), scenario="")
    assert known.scenario == "cache-failure"


def test_what_is_left_to_do() -> None:
    task = told(1, "open task", name="scale back", command="recover application scale-back")
    known = incident(task, told(2, "open task", name="other"), told(3, "task done", name="other"))
    assert [(one.name, one.command) for one in open_tasks(known)] == [("scale back", "recover application scale-back")]
    sized = {"task": "scale-back", "deployment": "clickview-backend"}
    assert [one.name for one in open_tasks(incident(told(1, "open task", **sized)))] == [
        "scale-back of clickview-backend"
    ]
    assert open_tasks(incident(told(1, "open task", **sized), told(2, "task done", **sized))) == ()
    over = whole(1, 2, 3)
    assert view_of(known, SITE, at(5)).left_to_do == [
        "it is not recovered: run its scenario again with --incident INC-1",
        "scale back: recover application scale-back",
        "acknowledge it: recover incident ack INC-1 --by NAME",
    ]
    assert view_of(over, SITE, at(5)).left_to_do == [
        "post-mortem by 2026-01-20 (infrastructure lead: TBD, Slack #infra)",
        "then close it: recover incident close INC-1 --by NAME --causes TEXT",
    ]
    assert view_of(whole(1, 2, 3, drill=True), SITE, at(5)).left_to_do == []


def test_a_plan_waits_until_its_time_or_its_answer() -> None:
    asked = told(1, "approval asked", digest="ab" * 32, until=at(30).isoformat())
    waits = incident(told(0, "acknowledged"), asked)
    assert view_of(waits, SITE, at(29)).left_to_do == [
        "it is not recovered: run its scenario again with --incident INC-1",
        "approve or refuse plan abababababab until 12:30:00 UTC: recover approve INC-1 --by NAME --reason TEXT",
    ]
    assert waiting_plans(waits, at(31)) == {}
    for end in ("approval", "approval unanswered"):
        assert waiting_plans(incident(asked, told(2, end, digest="ab" * 32)), at(3)) == {}
    again = told(3, "approval asked", digest="ab" * 32, until=at(60).isoformat())
    assert waiting_plans(incident(asked, told(2, "approval", digest="ab" * 32), again), at(4)) == {"ab" * 32: at(60)}
    assert waiting_plans(incident(told(1, "approval asked", until="soon")), at(2)) == {}
    other = told(3, "approval asked", digest="cd" * 32, until=at(60).isoformat())
    assert waiting_plans(incident(asked, other), at(4)) == {"cd" * 32: at(60)}


@pytest.mark.parametrize(
    ("known", "state", "needs"),
    [
        (incident(), "open", True),
        (whole(1, 2, 3), "recovered", True),
        (whole(1, 2, 3, drill=True), "recovered", False),
        (incident(drill=True), "open", True),
        (incident(told(1, "closed")), "closed", False),
        (incident(told(1, "open task", name="scale back"), told(2, "closed")), "closed", True),
    ],
)
def test_how_far_it_is_and_whether_somebody_is_needed(known: Incident, state: str, needs: bool) -> None:
    assert (state_of(known), needs_somebody(known)) == (state, needs)


def test_a_word_about_the_future_is_refused() -> None:
    assert future_refusal("detected", at(0.2), at(0)) is None
    assert future_refusal("detected", at(60), at(0)) == "detected lies in the future: 2026-01-15 13:00:00 UTC"


def test_a_closed_one_says_by_whom() -> None:
    assert closed_refusal(incident()) is None
    assert closed_refusal(incident(told(5, "closed", by="ada"))) == "INC-1 was closed by ada at 2026-01-15 12:05:00 UTC"
    assert closed_refusal(incident(told(5, "closed"))) == "INC-1 was closed by somebody at 2026-01-15 12:05:00 UTC"


def test_what_cannot_be_true_together_is_named() -> None:
    recovered_by_itself = {Moment.DETECTED: at(1), Moment.RECOVERED: at(2), Moment.ACKNOWLEDGED: at(9)}
    assert contradictions(recovered_by_itself) == ()
    assert contradictions({Moment.DETECTED: at(5), Moment.ACKNOWLEDGED: at(2)}) == (
        "acknowledged at 2026-01-15 12:02:00 UTC is before detected at 2026-01-15 12:05:00 UTC",
    )


def test_the_first_level_is_the_worst() -> None:
    assert worse_severity("SEV-3", "")
    assert worse_severity("SEV-1", "SEV-2")
    assert not worse_severity("SEV-2", "SEV-2")
    assert not worse_severity("SEV-4", "SEV-1")


@pytest.mark.parametrize(
    ("known", "now", "met"),
    [
        (incident(told(0, "detected"), told(14, "acknowledged")), 99, True),
        (incident(told(0, "detected"), told(16, "acknowledged")), 99, False),
        (incident(told(0, "detected")), 14, None),
        (incident(told(0, "detected")), 16, False),
        (incident(), 99, None),
        (incident(told(0, "detected"), told(1, "acknowledged"), told(0, "severity", severity="SEV-1")), 99, None),
    ],
)
def test_whether_somebody_answered_in_time(known: Incident, now: float, met: bool | None) -> None:
    assert view_of(known, SITE, at(now)).response_met is met


def test_at_once_is_no_time_that_a_clock_could_tell() -> None:
    view = view_of(incident(told(0, "detected"), told(0, "severity", severity="SEV-1")), SITE, at(9))
    assert (view.response_within, view.response_due) == ("at once", NOON)


def test_for_programs_it_is_in_seconds_and_null_where_nothing_is_known() -> None:
    told_json = view_of(whole(2, 5, 30), SITE, at(31)).as_json()
    assert told_json["metrics"][0] == {
        "metric": "Time to Detection",
        "target_seconds": 300.0,
        "actual_seconds": 120.0,
        "met": True,
    }
    assert (told_json["scenario"], told_json["causes"], told_json["moments"]["decided"]) == (
        "application-failure",
        None,
        None,
    )
    assert told_json["owner"] == {"role": "infrastructure_lead", "name": "TBD", "contact": "Slack #infra"}


def test_history_counts_incidents_and_drills_apart() -> None:
    rows = metric_history(
        [whole(2, 5, 30), whole(6, 8, 300), incident(), whole(1, 2, 3, drill=True)], ObjectivesSettings()
    )
    assert [(one.scenario, one.kind, one.metric, one.count) for one in rows[:5]] == [
        ("application-failure", "drill", "Time to Detection", 1),
        ("application-failure", "drill", "Time to Acknowledgment", 1),
        ("application-failure", "drill", "Time to Recovery", 1),
        ("application-failure", "drill", "Data Loss", 1),
        ("application-failure", "incident", "Time to Detection", 3),
    ]
    detection, _, recovery, loss = rows[4:]
    assert (detection.known, detection.median, detection.worst, detection.met) == (
        2,
        timedelta(minutes=4),
        timedelta(minutes=6),
        1,
    )
    assert (recovery.median, recovery.worst, recovery.met) == (timedelta(minutes=165), timedelta(minutes=300), 1)
    assert (loss.known, loss.worst, loss.met) == (2, timedelta(0), 2)


def test_history_without_any_is_none_and_what_nobody_knows_has_no_time() -> None:
    assert metric_history([], ObjectivesSettings()) == ()
    assert {
        (one.known, one.median, one.worst, one.met) for one in metric_history([incident()], ObjectivesSettings())
    } == {(0, None, None, 0)}


def option(seconds: Any, outcome: str = "recovered", name: str = "restart", **more: Any) -> IncidentEvent:
    return told(1, "option", option=name, seconds=seconds, outcome=outcome, **more)


def test_an_estimate_is_the_median_of_what_recovered_by_this_option() -> None:
    known = [
        incident(option(60), option(5, "failed"), option(9, name="roll-back")),
        incident(option(120)),
        incident(option(600), drill=True),
        incident(option(1), scenario="cache-failure"),
        incident(option("soon"), option(None), option(-4), option(float("nan"))),
    ]
    assert median_recoveries([], "application-failure") == {}
    assert median_recoveries(known, "application-failure") == {
        "restart": timedelta(minutes=2),
        "roll-back": timedelta(seconds=9),
    }


def test_after_a_handing_over_an_option_counts_for_its_own_scenario() -> None:
    known = [incident(option(60, scenario="database-failure"))]
    assert median_recoveries(known, "database-failure") == {"restart": timedelta(minutes=1)}
    assert median_recoveries(known, "application-failure") == {}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "not known"),
        (0, "0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3 * 3600 + 59 * 60 + 59, "3 h 59 min"),
        (4 * 3600, "4 h"),
        (26 * 3600, "1 d 2 h"),
    ],
)
def test_a_span_is_said_to_what_matters(seconds: float | None, shown: str) -> None:
    assert exact_span(None if seconds is None else timedelta(seconds=seconds)) == shown


def test_the_command_knows_the_levels_that_there_are() -> None:
    assert tuple(one.value for one in Severity) == tuple(SEVERITY)
