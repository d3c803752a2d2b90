"""A runbook for the tests of the approval and of the lease: it asks for a yes, and then adds a line to a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from recovery.facts import Mode, Option, Plan, PlanFact, PlannedAction
from recovery.waiting import wait_until
from tasks.approval import await_approval
from tasks.incidents import in_incident
from tasks.plans import show_plan
from tasks.site_lease import holding_site
from tasks.step import action, runbook

_LONGEST_SECONDS = 800.0


def ask_name(incident: str, *_: object, **__: object) -> str:
    """`ask about INC-1`."""
    return f"ask about {incident}"


@runbook("Ask", ask_name)
def ask(
    incident: str,
    file: str,
    cause: str = "image",
    mode: Mode = "approve",
    policy: Literal["auto", "approve"] = "approve",
    take_over: str | None = None,
    twice: bool = False,
) -> None:
    """Ask for a yes to a plan, then write it into a file.

    Args:
        incident: the incident
        file: where a line is added when somebody said yes
        cause: what makes it another plan
        mode: plan, approve or auto
        policy: whether somebody has to say yes at all
        take_over: why the site is taken from another run
        twice: write a second time when there is a file of that name with .bell behind it
    """
    with (
        holding_site(incident, take_over=take_over),
        in_incident("application-failure", incident, drill=True) as opened,
    ):
        plan = plan_of(incident, Path(file), cause, policy)
        show_plan(plan)
        await_approval(plan, opened, mode)
        write_line(file, plan.digest)
        if twice and wait_until(Path(f"{file}.bell").exists, _LONGEST_SECONDS):
            write_line(file, plan.digest)


def plan_of(incident: str, file: Path, cause: str, policy: Literal["auto", "approve"]) -> Plan:
    """One way with one step, which cannot be undone."""
    step = PlannedAction("roll_back", f"write into {file.name}", irreversible=True, policy=policy)
    way = Option("roll-back", "Roll back", (step,), timedelta(seconds=1), timedelta(0), "a guess")
    facts = (PlanFact("cause", cause, decisive=True), PlanFact("seen", "a | b <c>"))
    return Plan("application-failure", "clickview", incident, "SEV-2", datetime.now(UTC), facts, (way,))


@action
def write_line(file: str, line: str) -> None:
    """Add a line to a file."""
    with Path(file).open("a") as out:
        out.write(f"{line}\n")
