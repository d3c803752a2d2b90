"""recover application …"""

from __future__ import annotations

from typing import Annotated

import typer

from recovery.cli.application_failure import Component
from recovery.cli.options import text
from recovery.cli.output import Json, print_json, show_run

app = typer.Typer(help="What is left to do for the application.", no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """A group also while it has one command."""


@app.command("scale-back")
def scale_back(
    component: Annotated[Component, typer.Option(help="which of the application's deployments")] = Component.BACKEND,
    incident: Annotated[str | None, text(help="the incident that scaled it up; unset: whichever has this open")] = None,
    take_over: Annotated[
        str | None, text(help="take the site from another recovery, which is surely dead: why", metavar="WHY")
    ] = None,
    as_json: Json = False,
) -> None:
    """Return to the number of pods, and the autoscaler's limits, from before a recovery scaled up. Idempotent."""
    found = show_run(
        "flows.application_scale_back",
        "application_scale_back",
        as_json,
        component=component.value,
        incident=incident,
        take_over=take_over,
    )
    if as_json:
        print_json(found)
    elif found.changed:
        print(f"{found.deployment} runs {found.now} pods again instead of {found.before}.")
    else:
        print(f"Nothing to do: {found.deployment} has no former size to return to (it runs {found.now} pods).")
