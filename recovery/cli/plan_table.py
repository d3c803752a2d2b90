"""A plan at the terminal."""

from __future__ import annotations

import sys

from checks.objectives import shown_span
from recovery.cli.output import table
from recovery.facts import Option, Plan


def print_plan(plan: Plan, *, aside: bool = True) -> None:
    """What was seen, what is done, what is not and why. `aside`: beside the command's own output."""
    stream = sys.stderr if aside else sys.stdout
    table(("seen", "value"), [(one.name, one.value) for one in plan.facts], title=f"Plan {plan.digest[:12]}", to=stream)
    rows = [_row(number, one) for number, one in enumerate(plan.options, 1)]
    table(("way", "taken", "what", "time", "loss"), rows, title=f"{plan.severity}, incident {plan.incident}", to=stream)
    for step in plan.to_approve:
        print(f"Needs a person's yes: {step.name} ({step.what})", file=stream, flush=True)


def _row(number: int, option: Option) -> tuple[str, ...]:
    if option.rejected is not None:
        return (option.title, f"no: {option.rejected}", "", "", "")
    what = "; ".join(f"{step.what}{' (cannot be undone)' if step.irreversible else ''}" for step in option.actions)
    loss = "nothing" if not option.expected_loss else shown_span(option.expected_loss)
    return (option.title, f"{number}.", what or "nothing is changed", shown_span(option.expected_recovery), loss)
