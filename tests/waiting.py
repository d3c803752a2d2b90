"""Waiting in tests: until a thing is so. The deadline only catches what hangs, on the slowest machine too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from recovery.errors import TargetUnreachable
from recovery.waiting import wait_until

PATIENCE = 300.0
"""Seconds that nothing takes which goes on at all: a process, a server, a browser's page."""

_COULD_NOT_LOOK = (OSError, httpx.HTTPError, TargetUnreachable)


def until(look: Callable[[], Any], *, what: str | Callable[[], str] = "", seconds: float = PATIENCE) -> Any:
    """What there is to see, once there is something. A look that could not be taken is taken again.

    `what` says what was waited for, or tells more of what is there instead.
    """
    last: list[Any] = [None]

    def seen() -> bool:
        try:
            last[0] = look()
        except _COULD_NOT_LOOK as error:
            last[0] = error
            return False
        return bool(last[0])

    if not wait_until(seen, seconds, pause=0.1):
        told = what if isinstance(what, str) else what()
        raise AssertionError(f"not so after {seconds:.0f} s: {told or 'what was waited for'}; last seen: {last[0]!r}")
    return last[0]
