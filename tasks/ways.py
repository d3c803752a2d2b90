"""Go one way of a plan after the other until the application is healthy, and note what each came to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from recovery.errors import GateRefused, VerificationFailed
from recovery.facts import Option, Plan, PlannedAction
from recovery.lease import require_still_held
from tasks.incidents import note_event
from tasks.step import warn


def go_ways(plan: Plan, act: Callable[[PlannedAction], None], prove: Callable[[], None]) -> tuple[str, ...]:
    """Do the steps of the first way, prove that it cured, else go the next one; the names of those that were gone.

    `act` does one step; `prove` raises VerificationFailed while the application is not healthy.
    Raises: VerificationFailed when the last way did not cure it either.
    """
    gone: list[str] = []
    for way in plan.chosen:
        begin = datetime.now(UTC)
        gone.append(way.name)
        try:
            for step in way.actions:
                require_still_held()
                note_event("action", name=step.name, what=step.what)
                act(step)
            prove()
        except GateRefused as error:
            _note(way, begin, "failed", error.problem)
            if gone[1:]:  # the way before it has changed something
                raise VerificationFailed(error.problem, error.next_step) from error
            raise
        except VerificationFailed as error:
            _note(way, begin, "failed", error.problem)
            if way is plan.chosen[-1]:
                raise
            warn(f"{way.title} did not cure it: {error.problem}")
        else:
            _note(way, begin, "recovered", "")
            break
    return tuple(gone)


def _note(way: Option, begin: datetime, outcome: str, problem: str) -> None:
    """How long it took: the next plan's estimate stands on it."""
    seconds = round((datetime.now(UTC) - begin).total_seconds(), 1)
    note_event("option", option=way.name, seconds=seconds, outcome=outcome, problem=problem)
