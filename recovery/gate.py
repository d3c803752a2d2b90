"""Turn a check's refusal into the end of the run, before anything was changed."""

from __future__ import annotations

from recovery.errors import GateRefused


def require(refusal: str | None, *, next_step: str) -> None:
    """Go on only when there is no refusal.

    Raises: GateRefused. Nothing was changed.
    """
    if refusal is not None:
        raise GateRefused(refusal, next_step)
