"""Turn a check's refusal into the end of the run, before anything was changed."""

from __future__ import annotations

from typing import TypeVar

from recovery.errors import GateRefused
from recovery.facts import Refusal

T = TypeVar("T")


def require(refusal: str | None, *, next_step: str) -> None:
    """Go on only when there is no refusal.

    Raises: GateRefused. Nothing was changed.
    """
    if refusal is not None:
        raise GateRefused(refusal, next_step)


def granted(value: T | Refusal) -> T:
    """The choice that a check made, or the end of the run with its reason.

    Raises: GateRefused. Nothing was changed.
    """
    if isinstance(value, Refusal):
        raise GateRefused(value.problem, value.next_step)
    return value
