"""What we write on a deployment: the token of a restart, and what a scale has moved."""

from __future__ import annotations

from recovery.adapters.kubernetes.fields import Json, text, value

PREFIX = "clickview-recovery"
RESTART = f"{PREFIX}/restart"
SCALED_FROM = f"{PREFIX}/scaled-from"
SCALED_AUTOSCALER = f"{PREFIX}/scaled-autoscaler"


def restart_token(deployment: Json) -> str:
    """The token of its last restart, letter by letter."""
    return str(value(deployment, "spec", "template", "metadata", "annotations", RESTART) or "")


def noted_size(deployment: Json) -> int | None:
    """The size that it had before it was scaled; None when nothing (that can be read) is noted."""
    return _number(text(deployment, "metadata", "annotations", SCALED_FROM))


def noted_limits(deployment: Json) -> tuple[int, int] | None:
    """The limits that its autoscaler had before they were moved."""
    low, _, high = text(deployment, "metadata", "annotations", SCALED_AUTOSCALER).partition("..")
    minimum, maximum = _number(low), _number(high)
    return None if minimum is None or maximum is None else (minimum, maximum)


def spoken_limits(minimum: int, maximum: int) -> str:
    return f"{minimum}..{maximum}"


def _number(noted: str) -> int | None:
    return int(noted) if noted.isascii() and noted.isdigit() and len(noted) < 10 else None
