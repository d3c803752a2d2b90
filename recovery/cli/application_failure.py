"""recover application-failure: scenario 2 of the runbook."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from recovery.cli.approval_prompt import asking_here
from recovery.cli.options import text
from recovery.cli.output import Json, print_json, show_run, table
from recovery.cli.plan_table import print_plan
from recovery.cli.user import who_types

app = typer.Typer(add_completion=False)


class Mode(StrEnum):
    PLAN = "plan"
    APPROVE = "approve"
    AUTO = "auto"


class Way(StrEnum):
    BEST = "best"
    WAIT = "wait"
    DELETE_FAILED_PODS = "delete-failed-pods"
    RESTART = "restart"
    ROLL_BACK = "roll-back"
    SCALE_UP = "scale-up"


class Component(StrEnum):
    BACKEND = "backend"
    FRONTEND = "frontend"


@app.command()
def application_failure(
    mode: Annotated[
        Mode, typer.Option(help="plan: look and say; approve: ask where the settings say so; auto: ask nobody")
    ] = Mode.APPROVE,
    incident: Annotated[str | None, text(help="its name in your tracker; unset: one under way, else a new one")] = None,
    option: Annotated[Way, typer.Option(help="the way to go; best: the one that fits the cause")] = Way.BEST,
    replicas: Annotated[int, typer.Option(min=1, max=1000, help="pods to run when more are needed")] = 5,
    component: Annotated[Component, typer.Option(help="which of the application's deployments")] = Component.BACKEND,
    occurred: Annotated[str | None, text(help="when it began, with a zone", metavar="TIME")] = None,
    detected: Annotated[str | None, text(help="when it was noticed; unset: now", metavar="TIME")] = None,
    by: Annotated[str | None, text(help="who answers it; unset: you")] = None,
    take_over: Annotated[
        str | None, text(help="take the site from another recovery, which is surely dead: why", metavar="WHY")
    ] = None,
    drill: Annotated[bool, typer.Option("--drill", help="it was broken on purpose: it counts as a drill")] = False,
    as_json: Json = False,
) -> None:
    """Bring the application back (scenario 2): failed or hung pods, a bad version, too few pods.

    Tells the cause apart first. A database or a cache that is down is not cured by restarts: it says so, and to whom
    that belongs. Ends with 0 only when the application's own health check is green.
    """
    with asking_here():
        found = show_run(
            "flows.application_failure",
            "application_failure",
            as_json,
            mode=mode.value,
            incident=incident,
            option=option.value,
            replicas=replicas,
            component=component.value,
            occurred=occurred,
            detected=detected,
            started_by=by or who_types(),
            take_over=take_over,
            drill=drill,
        )
    show_report(found, as_json)


def show_report(found: Any, as_json: bool) -> None:
    """What a recovery came to."""
    if as_json:
        print_json(found)
        return
    if found.outcome == "planned":
        print_plan(found.plan, aside=False)
    elif found.outcome == "healthy":
        print(f"Nothing to recover: {found.detail}.")
    else:
        done = ", ".join(found.done) or "nothing had to be changed"
        print(f"The application is healthy. Cause: {found.cause}. Done: {done}. Incident {found.incident}.")
    if found.metrics:
        head = list(found.metrics[0])
        table(head, [[row[name] for name in head] for row in found.metrics], title="Recovery metrics")
