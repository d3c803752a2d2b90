"""Show a plan wherever somebody may look for it: the UI, the terminal, the incident, the journal."""

from __future__ import annotations

import json
from dataclasses import asdict

from checks.objectives import shown_span
from recovery.facts import Option, Plan
from recovery.journal import plain
from tasks.artifacts import markdown_cell, markdown_table, publish_markdown
from tasks.incidents import keep_evidence, note_event
from tasks.step import note


def show_plan(plan: Plan) -> None:
    """Show what is going to be done, why, and why nothing else."""
    publish_markdown("plan", plan_document(plan), f"Plan {plan.digest[:12]}")
    for line in plan_lines(plan):
        note(line)
    note_event(
        "plan",
        digest=plan.digest,
        chosen=[one.name for one in plan.chosen],
        rejected={one.name: one.rejected for one in plan.options if one.rejected},
        facts={one.name: one.value for one in plan.facts},
    )
    keep_evidence("plan.json", plan_json(plan))


def plan_json(plan: Plan) -> str:
    """A plan as JSON, with its hash."""
    return json.dumps({"digest": plan.digest, **asdict(plan)}, default=plain, indent=1)


def plan_lines(plan: Plan) -> list[str]:
    """A plan in a few lines: the cause, and what is tried."""
    cause = {one.name: one.value for one in plan.facts}
    lines = [f"{cause.get('cause', 'unknown')}: {cause.get('seen', '')}"]
    for number, one in enumerate(plan.chosen, 1):
        lines.append(
            f"{number}. {one.title}: {_steps(one)} (about {shown_span(one.expected_recovery)}, loses {_loss(one)})"
        )
    return [*lines, f"plan {plan.digest[:12]}" if plan.chosen else "nothing is done"]


def plan_document(plan: Plan) -> str:
    """A plan as a document: what was seen, what is done, what is not and why."""
    seen = [{"seen": one.name, "value": one.value} for one in plan.facts]
    ways = [_row(number, one) for number, one in enumerate(plan.options, 1)]
    steps = [
        {
            "step": step.name,
            "what": step.what,
            "policy": step.policy,
            "can be undone": "no" if step.irreversible else "yes",
        }
        for one in plan.chosen
        for step in one.actions
    ]
    return "\n\n".join(
        (
            f"# Plan {plan.digest[:12]}",
            f"{plan.scenario} of {markdown_cell(plan.site)}, incident {markdown_cell(plan.incident)}, {plan.severity}. "
            f"Made {plan.made_at:%Y-%m-%d %H:%M:%S} UTC.",
            "## What was seen",
            markdown_table(seen),
            "## What is done, in this order, until the application is healthy",
            markdown_table(steps),
            "## Every way, and why not",
            markdown_table(ways),
            f"An approval holds for exactly this plan: `{plan.digest}`",
        )
    )


def plan_in_short(plan: Plan) -> str:
    """A plan as a dialog has room for it: the cause, the steps, the hash. The rest is in the artifact."""
    lines = [
        f"{number}. **{markdown_cell(one.title)}**: {markdown_cell(_steps(one))}"
        for number, one in enumerate(plan.chosen, 1)
    ]
    seen = {one.name: one.value for one in plan.facts}
    cause = f"**{markdown_cell(seen.get('cause', 'unknown'))}**: {markdown_cell(seen.get('seen', ''))}"
    return "\n\n".join(
        (cause, "\n".join(lines), f"Plan `{plan.digest[:12]}`, {plan.severity}; the whole plan is an artifact.")
    )


def _row(number: int, option: Option) -> dict[str, str]:
    taken = option.rejected is None
    return {
        "way": option.title,
        "taken": f"{number}." if taken else f"no: {option.rejected}",
        "expected time": shown_span(option.expected_recovery) if taken else "",
        "data loss": f"{option.expected_loss.total_seconds():.0f} s" if taken else "",
        "from": option.basis if taken else "",
    }


def _loss(option: Option) -> str:
    return shown_span(option.expected_loss) if option.expected_loss else "nothing"


def _steps(option: Option) -> str:
    return "; ".join(step.what for step in option.actions) or "nothing is changed"
