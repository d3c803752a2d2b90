"""The post-mortem document: all that is known, and places for what only people know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from checks.incident_view import IncidentView
from checks.objectives import exact_span
from recovery.facts import Incident, IncidentEvent, Moment
from tasks.incident_report.document import Block, Document, Items, Paragraph, Section, Table, ToType
from tasks.incident_report.gathered import Evidence, Gathered
from tasks.incident_report.lanes import timeline
from tasks.incident_report.runs import RunStory
from tasks.incident_report.sentences import digest, lasted, options, sentence, spoken

_MOST_STEPS = 300


def post_mortem(found: Gathered, made_at: datetime) -> Document:
    """The document of an incident."""
    known = found.view.incident
    what = "Drill" if known.drill else "Post-mortem"
    return Document(f"{what} {known.id}", [*_sections(found), _to_write(found.view), _made(made_at)])


def _sections(found: Gathered) -> Iterator[Section]:
    view, known = found.view, found.view.incident
    yield Section("Summary", [*_said(known.summary), Table(_facts(view))])
    yield Section("Recovery metrics", [Table(view.rows), *(Paragraph(one) for one in _unsure(view))])
    yield Section("Timeline", [timeline(found), Table(_moments(known))])
    yield Section("What is left to do", [Items(left) if (left := view.left_to_do) else Paragraph("Nothing.")])
    yield Section("What happened", [_table([_event(one) for one in known.events if one.event != "evidence"])])
    plans = {str(one.details.get("digest", "")): one for one in known.of_kind("plan")}
    yield Section("Plans", [_table([_plan(one) for one in plans.values()])])
    for plan in plans.values():
        if seen := _seen(plan):
            yield Section(f"What plan {digest(plan.details)} was made from", [Table(seen)], level=3)
    yield Section("Approvals", [_table(_approvals(found))])
    yield Section("Actions", [_table([_action(one) for one in known.of_kind("action", "option")])])
    yield Section("Runs", [_table([_run(one) for one in found.runs])])
    for one in found.runs:
        yield Section(one.run, _steps(one), level=3)
    yield Section("Evidence", [_table([_evidence(one) for one in found.evidence])])


def _to_write(view: IncidentView) -> Section:
    causes: Block = Paragraph(view.incident.causes) if view.incident.causes else ToType("Causes")
    return Section(
        "To be written by people", [causes, ToType("What went well, what did not"), ToType("What we change")]
    )


def _made(made_at: datetime) -> Section:
    return Section("About this document", [Paragraph(f"Made {_moment(made_at)} by recover incident report.")])


def _facts(view: IncidentView) -> list[dict[str, str]]:
    known = view.incident
    severity = f"{known.severity}: {view.severity_means}" if view.severity_means else known.severity
    owner = f"{view.owner.name} ({view.owner.contact})" if view.owner else "not in the contacts"
    facts = {
        "Incident": known.id,
        "Scenario": known.scenario or "not known",
        "Handed over to": ", ".join(view.handed_over_to),
        "State": view.state + (" (drill)" if known.drill else ""),
        "Severity": severity or "not known",
        "Response due": response_text(view),
        "Acknowledged by": view.acknowledged_by or "nobody",
        "Recovery point": _moment(known.recovery_point),
        "Post-mortem due": _moment(view.post_mortem_due) or ("none: a drill" if known.drill else "once it is over"),
        "Owner": f"{view.owner_role.replace('_', ' ')}: {owner}",
        "Closed": _moment(known.closed_at),
    }
    return [{"What": name, "Is": value} for name, value in facts.items() if value]


def response_text(view: IncidentView) -> str:
    """By when somebody had to answer, and whether somebody did."""
    if view.response_due is None:
        return "not known"
    met = {True: "met", False: "MISSED", None: ""}[view.response_met]
    return ", ".join(one for one in (view.response_within, _moment(view.response_due), met) if one)


def _unsure(view: IncidentView) -> Iterator[str]:
    yield from (f"Look at this: {one}." for one in view.contradictions)
    if Moment.OCCURRED not in view.incident.moments:
        yield "When it occurred is not known: what is measured from there is not known either."


def _moments(known: Incident) -> list[dict[str, str]]:
    before = None
    rows = []
    for one in Moment:
        at = known.moments.get(one)
        after = exact_span(at - before) if at and before and at >= before else ""
        rows.append({"Moment": one.value, "When": _moment(at) or "not known", "After the one before": after})
        before = at or before
    return rows


def _event(one: IncidentEvent) -> dict[str, str]:
    return {"When (UTC)": f"{one.at:%Y-%m-%d %H:%M:%S}", "Noted on": one.writer, "What": sentence(one)}


def _plan(one: IncidentEvent) -> dict[str, str]:
    return {
        "Plan": digest(one.details),
        "Chosen": "; ".join(options(one.details.get("chosen"))) or "nothing",
        "Rejected, and why": "; ".join(options(one.details.get("rejected"))),
    }


def _seen(one: IncidentEvent) -> list[dict[str, str]]:
    facts = one.details.get("facts")
    return [{"Fact": name, "Seen": spoken(value)} for name, value in facts.items()] if isinstance(facts, dict) else []


def _approvals(found: Gathered) -> list[dict[str, str]]:
    return [
        {
            "Plan": one.plan[:12],
            "Asked (UTC)": f"{one.asked_at:%H:%M:%S}" if one.asked_at else "",
            "Answer": f"{one.word} {one.at:%H:%M:%S}" if one.at else one.word,
            "By (as claimed)": one.by,
            "User, way": ", ".join(word for word in (one.user, one.way) if word),
            "Why": one.reason,
        }
        for one in found.approvals
    ]


def _action(one: IncidentEvent) -> dict[str, str]:
    name = one.details.get("name") or f"option {one.details.get('option', '')}"
    return {
        "When (UTC)": f"{one.at:%H:%M:%S}",
        "Action": str(name),
        "What": str(one.details.get("what", "")),
        "Took": lasted(one.details),
        "Outcome": ": ".join(str(one.details[key]) for key in ("outcome", "problem") if one.details.get(key)),
    }


def _run(one: RunStory) -> dict[str, str]:
    return {
        "Run": one.run,
        "What": one.title,
        "Where": f"{one.user}@{one.machine}" if one.machine else one.user,
        "Began (UTC)": f"{one.begin:%Y-%m-%d %H:%M:%S}",
        "Took": exact_span(one.end - one.begin) if one.end and one.end >= one.begin else "",
        "Outcome": one.outcome,
    }


def _steps(one: RunStory) -> list[Block]:
    if not one.steps:
        return [Paragraph("Its journal is not on this machine, nor in the bucket as far as that could be looked at.")]
    rows = [
        {
            "When (UTC)": f"{step.begin:%H:%M:%S}",
            "Kind": step.kind,
            "Step": step.name,
            "Took": exact_span(step.seconds) if step.seconds is not None else "",
            "Outcome": ": ".join(word for word in (step.outcome, step.said) if word),
        }
        for step in one.steps[:_MOST_STEPS]
    ]
    more = len(one.steps) - _MOST_STEPS
    return [Table(rows), *([Paragraph(f"And {more} more: see its journal.")] if more > 0 else [])]


def _evidence(one: Evidence) -> dict[str, str]:
    return {"File": one.name, "Kept as": one.file, "Bytes": one.bytes, "SHA-256": one.sha256, "Today": one.today}


def _table(rows: list[dict[str, str]]) -> Block:
    return Table(rows) if rows else Paragraph("None.")


def _said(summary: str) -> list[Block]:
    return [Paragraph(summary)] if summary else []


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
