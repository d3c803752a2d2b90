"""Waiting: until a thing is so. The deadline only catches what hangs, so it is generous."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


def wait_until(look: Callable[[], R], seconds: float, *, so: Callable[[R], object] = bool, pause: float = 0.05) -> R:
    """Look again and again until it is so (by default: until there is something); returns what was seen last.

    Waits: up to the deadline, and at least one look. The caller judges what was returned and never
    looks a second time: what was true a moment ago must not be asked for once more.
    """
    deadline = time.monotonic() + seconds
    while not so(seen := look()) and time.monotonic() < deadline:
        time.sleep(pause)
    return seen
