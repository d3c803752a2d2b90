"""An incident on the terminal."""

from __future__ import annotations

from datetime import datetime

from checks.incident_view import IncidentView
from recovery.cli.output import table
from recovery.facts import Moment
from tasks.incident_report.contents import response_text
from tasks.incident_report.document import readable
from tasks.incident_report.sentences import sentence


def show_incident(view: IncidentView) -> None:
    """Print its moments, the runbook's metrics, what happened, and what is left to do."""
    known = view.incident
    kind = "drill" if known.drill else "incident"
    print(readable(f"{known.id}: {kind}, {view.state}; {known.scenario or 'scenario not known'}"))
    if known.summary:
        print(readable(known.summary))
    table(("", ""), [(name, readable(value)) for name, value in _facts(view) if value])
    table(("metric", "target", "actual", "met"), [tuple(row.values()) for row in view.rows])
    rows = [(f"{one.at:%Y-%m-%d %H:%M:%S}", readable(one.writer), sentence(one)) for one in known.events]
    table(("when (UTC)", "noted by", "what"), rows)
    for left in view.left_to_do:
        print(f"TO DO: {readable(left)}")


def _facts(view: IncidentView) -> list[tuple[str, str]]:
    known = view.incident
    means = f"{known.severity} ({view.severity_means})" if view.severity_means else known.severity
    return [
        ("severity", means),
        ("response due", response_text(view)),
        *((one.value, _moment(known.moments.get(one)) or "not known") for one in Moment),
        ("acknowledged by", view.acknowledged_by),
        ("recovery point", _moment(known.recovery_point)),
        ("handed over to", ", ".join(view.handed_over_to)),
        ("closed", _moment(known.closed_at)),
        ("causes", known.causes),
    ]


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
