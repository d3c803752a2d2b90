"""recover metrics: what was promised and what was measured."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import typer

from recovery.cli.output import Json, print_json, table

app = typer.Typer(add_completion=False)


@app.command()
def metrics(as_json: Json = False) -> None:
    """Show how long recoveries took and how often the promises were met: per scenario, incidents and drills apart."""
    from checks.history import metric_history
    from checks.objectives import exact_span
    from recovery.site import site
    from tasks.known_incidents import read_incidents

    found = read_incidents()
    for one in found.unseen:
        print(f"recover: not looked at: {one}", file=sys.stderr)
    rows = metric_history(found.incidents, site().settings.objectives)
    if as_json:
        print_json([_in_seconds(asdict(one)) for one in rows])
    elif not rows:
        print("No incident and no drill is known.")
    else:
        table(
            ("scenario", "of", "metric", "median", "worst", "met"),
            [
                (
                    one.scenario,
                    f"{one.count} {one.kind}{'' if one.count == 1 else 's'}",
                    one.metric,
                    exact_span(one.median),
                    exact_span(one.worst),
                    f"{one.met} of {one.known}" if one.known else "",
                )
                for one in rows
            ],
        )


def _in_seconds(row: dict[str, Any]) -> dict[str, Any]:
    """Time spans as numbers, with the unit in the name."""
    return {
        f"{name}_seconds" if name in ("median", "worst") else name: value.total_seconds()
        if isinstance(value, timedelta)
        else value
        for name, value in row.items()
    }
