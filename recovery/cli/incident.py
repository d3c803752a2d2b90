"""recover incident …: what happened, who did what when, and what is left to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recovery.cli.options import text
from recovery.cli.output import Json, print_json, table

if TYPE_CHECKING:
    from checks.incident_view import IncidentView
    from recovery.facts import Incident
    from tasks.incidents_by_hand import Told

app = typer.Typer(help="Incidents: list, show, report, acknowledge, close.", no_args_is_help=True, add_completion=False)


class Scenario(StrEnum):
    """What is broken: a scenario of the runbook."""

    DATABASE_FAILURE = "database-failure"
    APPLICATION_FAILURE = "application-failure"
    CACHE_FAILURE = "cache-failure"
    DATA_CORRUPTION = "data-corruption"
    SECURITY_BREACH = "security-breach"
    REGION_FAILURE = "region-failure"


class Severity(StrEnum):
    """The runbook's levels."""

    SEV_1 = "SEV-1"
    SEV_2 = "SEV-2"
    SEV_3 = "SEV-3"
    SEV_4 = "SEV-4"


Id = Annotated[str, typer.Argument(help="as recover incident list shows it")]
By = Annotated[str, text("--by", help="who you are; kept with the incident")]
_MOMENT = "e.g. 2024-01-15T10:30:00Z"


@app.command("list")
def list_incidents(
    only_open: Annotated[bool, typer.Option("--open", help="only those in which something is left to do")] = False,
    as_json: Json = False,
) -> None:
    """List the incidents and drills that this machine or the evidence bucket knows of, newest first."""
    from checks.incident import needs_somebody
    from tasks.known_incidents import read_incidents

    found = read_incidents()
    _say_unseen(found.unseen)
    views = [_view(one) for one in found.incidents if needs_somebody(one) or not only_open]
    if as_json:
        print_json([one.as_json() for one in views])
    elif not views:
        print("No incident is open." if only_open else "No incident is known.")
    else:
        head = ("incident", "state", "severity", "scenario", "detected", "recovered", "to do")
        table(head, [_row(one) for one in views])


@app.command()
def show(incident: Id, as_json: Json = False) -> None:
    """Show one incident: its moments, the runbook's metrics, what happened, and what is left to do."""
    from recovery.cli.incident_shown import show_incident
    from tasks.known_incidents import find_incident

    known, unseen = find_incident(incident)
    _say_unseen(unseen)
    if as_json:
        print_json({**_view(known).as_json(), "events": list(known.events)})
    else:
        show_incident(_view(known))


@app.command("open")
def open_new(
    incident: Annotated[str | None, text("--incident", help="as your tracker calls it; unset: a new name")] = None,
    scenario: Annotated[Scenario | None, typer.Option("--scenario", help="what is broken, if you know")] = None,
    severity: Annotated[Severity | None, typer.Option("--severity", help="how bad it is, if you know")] = None,
    occurred: Annotated[str | None, text("--occurred", help=f"when it broke, {_MOMENT}")] = None,
    detected: Annotated[
        str | None, text("--detected", help=f"when it was noticed, {_MOMENT}; a new one's: now")
    ] = None,
    summary: Annotated[str | None, text("--summary", help="what users see, in one sentence")] = None,
    by: Annotated[str | None, text("--by", help="who you are; kept with the incident")] = None,
    as_json: Json = False,
) -> None:
    """Open an incident before any run, or add to one (--incident) when it occurred and was detected.

    Give its name to the run that follows: --incident NAME. Its clock then runs from what you noted.
    """
    from recovery.facts import Moment
    from tasks.incidents_by_hand import open_by_hand

    told = {Moment.OCCURRED: _moment(occurred), Moment.DETECTED: _moment(detected)}
    _answer(
        open_by_hand(
            incident,
            {one: at for one, at in told.items() if at},
            scenario=scenario.value if scenario else "",
            severity=severity.value if severity else "",
            summary=summary or "",
            by=by or "",
        ),
        as_json,
    )


@app.command()
def ack(
    incident: Id,
    by: By,
    at: Annotated[str | None, text("--at", help=f"when you took it on, {_MOMENT}; unset: now")] = None,
    as_json: Json = False,
) -> None:
    """Acknowledge an incident: somebody has taken it on. The first one counts."""
    from tasks.incidents_by_hand import acknowledge

    _answer(acknowledge(incident, by=by, at=_moment(at)), as_json)


@app.command()
def close(
    incident: Id,
    by: By,
    causes: Annotated[str, text("--causes", help="what caused it, as found by the post-mortem")],
    as_json: Json = False,
) -> None:
    """Close an incident: it is over, and its causes are known."""
    from tasks.incidents_by_hand import close as close_incident

    _answer(close_incident(incident, by=by, causes=causes), as_json)


@app.command()
def report(
    incident: Id,
    out: Annotated[str | None, text("--out", help="folder for the two files; unset: the incident's own")] = None,
    as_json: Json = False,
) -> None:
    """Write the post-mortem document, as Markdown and as one HTML page that needs no network."""
    from tasks.incident_report import write_report

    written = write_report(incident, Path(out) if out else None)
    _say_unseen(written.unseen)
    if as_json:
        print_json({"markdown": written.markdown, "html": written.html})
    else:
        print(f"{written.markdown}\n{written.html}")


def _answer(told: Told, as_json: bool) -> None:
    from tasks.incident_report.document import readable

    _say_unseen(told.unseen)
    if as_json:
        print_json({**_view(told.incident).as_json(), "said": told.said})
    else:
        print(readable(told.said))


def _say_unseen(unseen: Iterable[str]) -> None:
    for one in unseen:
        print(f"recover: not looked at: {one}", file=sys.stderr)


def _view(known: Incident) -> IncidentView:
    from datetime import UTC

    from checks.incident_view import view_of
    from recovery.site import site

    return view_of(known, site().settings, datetime.now(UTC))


def _row(view: IncidentView) -> tuple[str, ...]:
    from recovery.facts import Moment
    from tasks.incident_report.document import readable

    known = view.incident
    left = [f"approve plan {plan[:12]}" for plan in view.waiting_plans]
    left += [one.name for one in view.open_tasks]
    if view.post_mortem_due and not known.closed_at:
        left.append(f"post-mortem by {view.post_mortem_due:%Y-%m-%d}")
    cells = (
        known.id,
        f"{view.state}{' (drill)' if known.drill else ''}",
        known.severity,
        known.scenario,
        _shown(known.moments.get(Moment.DETECTED)),
        _shown(known.moments.get(Moment.RECOVERED)),
        ", ".join(left),
    )
    return tuple(map(readable, cells))


def _shown(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""


def _moment(written: str | None) -> datetime | None:
    from checks.moment import read_moment
    from recovery.gate import granted

    return granted(read_moment(written)) if written else None
