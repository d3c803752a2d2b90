"""A runbook for the tests of the approval: it asks for a yes, and then adds a line to a file; nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery.facts import Mode, Option, Plan, PlanFact, PlannedAction
from tasks.approval import await_approval
from tasks.incidents import in_incident
from tasks.plans import show_plan
from tasks.step import action, runbook


def ask_name(incident: str, file: str, cause: str = "image", mode: str = "approve") -> str:
    """`ask about INC-1`."""
    return f"ask about {incident}"


@runbook("Ask", ask_name)
def ask(incident: str, file: str, cause: str = "image", mode: Mode = "approve") -> None:
    """Ask for a yes to a plan, then write it into a file.

    Args:
        incident: the incident
        file: where a line is added when somebody said yes
        cause: what makes it another plan
        mode: plan, approve or auto
    """
    with in_incident("application-failure", incident, drill=True) as opened:
        step = PlannedAction("roll_back", f"write into {Path(file).name}", irreversible=True, policy="approve")
        way = Option("roll-back", "Roll back", (step,), timedelta(seconds=1), timedelta(0), "a guess")
        facts = (PlanFact("cause", cause, decisive=True), PlanFact("seen", "a | b <c>"))
        plan = Plan("application-failure", "clickview", incident, "SEV-2", datetime.now(UTC), facts, (way,))
        show_plan(plan)
        await_approval(plan, opened, mode)
        write_line(file, plan.digest)


@action
def write_line(file: str, line: str) -> None:
    """Add a line to a file."""
    with Path(file).open("a") as out:
        out.write(f"{line}\n")
