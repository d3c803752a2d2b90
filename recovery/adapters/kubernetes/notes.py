"""What we write on a deployment: the token of a restart, and what a scale has moved."""

from __future__ import annotations

from recovery.adapters.kubernetes.fields import Json, text, value

PREFIX = "clickview-recovery"
RESTART = f"{PREFIX}/restart"
SCALED_FROM = f"{PREFIX}/scaled-from"
SCALED_AUTOSCALER = f"{PREFIX}/scaled-autoscaler"
_STEP, _MOST_STEPS = "->", 8


def restart_token(deployment: Json) -> str:
    """The token of its last restart, letter by letter."""
    return str(value(deployment, "spec", "template", "metadata", "annotations", RESTART) or "")


def noted_size(deployment: Json) -> int | None:
    """The size that it had before it was scaled; None when nothing (that can be read) is noted."""
    return _number(_first(deployment, SCALED_FROM))


def noted_limits(deployment: Json) -> tuple[int, int] | None:
    """The limits that its autoscaler had before they were moved."""
    low, _, high = _first(deployment, SCALED_AUTOSCALER).partition("..")
    minimum, maximum = _number(low), _number(high)
    return None if minimum is None or maximum is None else (minimum, maximum)


def spoken_limits(minimum: int, maximum: int) -> str:
    return f"{minimum}..{maximum}"


def moved_note(deployment: Json, kind: str, now: str, to: str) -> str:
    """What to note when it is moved once more: `3->5->8`, what was first and what we made of it.

    What is now and is none of these somebody else has made since: that is what is to be put back, later.
    """
    steps = [one for one in text(deployment, "metadata", "annotations", kind).split(_STEP) if one]
    known = steps if now in steps else [now]
    return _STEP.join([*known[:1], *known[1:][-_MOST_STEPS:], *([to] if to not in known else [])])


def _first(deployment: Json, kind: str) -> str:
    return text(deployment, "metadata", "annotations", kind).partition(_STEP)[0]


def _number(noted: str) -> int | None:
    return int(noted) if noted.isascii() and noted.isdigit() and len(noted) < 10 else None
