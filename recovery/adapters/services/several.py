"""Several of a kind that are one service: it is as well as the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from recovery.facts import ServiceFacts, ServiceState

_WORST_FIRST: tuple[ServiceState, ...] = (
    "failed",
    "stopped",
    "restarting",
    "paused",
    "stopping",
    "starting",
    "running",
)


def together(locator: str, found: Sequence[ServiceFacts]) -> ServiceFacts:
    """One service out of its parts, of which there is at least one."""
    worst = min(found, key=lambda one: (_WORST_FIRST.index(one.state), one.healthy is not False))
    counted = [one.restarts for one in found if one.restarts is not None]
    share = f"{sum(one.state == 'running' for one in found)} of {len(found)} run" if len(found) > 1 else ""
    whole = replace(
        worst,
        locator=locator,
        restarts=sum(counted) if counted else None,
        detail=", ".join(part for part in (share, worst.detail) if part),
    )
    left = [one for one in found if not one.ended]
    if not left or len(left) == len(found):
        return whole
    # A part is gone and another is not: nobody may take the whole for gone, nor for well.
    return replace(left[0], locator=locator, restarts=whole.restarts, healthy=False, detail=whole.detail)
