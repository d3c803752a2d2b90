"""Numbers as the API writes them: `25%`, `250m`, `1Gi`."""

from __future__ import annotations

import math

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9, "m": 1e-3, "": 1}


def share(text: str | int, whole: int, *, up: bool) -> int:
    """A number of pods, or a percentage of a whole, rounded up or down."""
    if isinstance(text, int) or not text.endswith("%"):
        return int(text)
    exact = int(text[:-1]) * whole / 100
    return math.ceil(exact) if up else math.floor(exact)


def amount(text: str | int | None) -> float | None:
    """A quantity as a number; None when there is none."""
    if text is None:
        return None
    digits = str(text).rstrip("KMGikm")
    return float(digits) * _UNITS[str(text)[len(digits) :]]
