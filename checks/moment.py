"""Moments as people write them: ISO 8601 with a zone, read without guessing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recovery.facts import Refusal

_EXAMPLE = "write it with seconds and a zone, e.g. 2024-01-15T10:30:00Z or '2024-01-15 10:30:00 Europe/Berlin'"
_MOMENT = re.compile(
    r"^(?P<day>\d{4}-\d\d-\d\d)[T ](?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?|[A-Za-z]+(?:/[A-Za-z_+-]+)+)?$"
)


def read_moment(text: str) -> datetime | Refusal:
    """The moment that a text names, in UTC; or why it is not clear which one it is.

    A zone is required: the same clock time is another moment elsewhere. A clock time that a zone
    skips or has twice in its change of summer time is refused with the two candidates.
    """
    found = _MOMENT.match(text.strip())
    if not found:
        return Refusal(f"{text!r} is not a moment", _EXAMPLE)
    if not found["zone"]:
        return Refusal(f"{text!r} has no zone", _EXAMPLE)
    try:
        local = datetime.fromisoformat(f"{found['day']}T{found['clock']}")
    except ValueError as error:
        return Refusal(f"{text!r} is not a moment: {error}", _EXAMPLE)
    zone = found["zone"]
    if zone in ("Z", "UTC"):
        return local.replace(tzinfo=UTC)
    if zone[0] in "+-":
        return _with_offset(local, zone, text)
    return _in_zone(local, zone, text)


def _with_offset(local: datetime, offset: str, text: str) -> datetime | Refusal:
    digits = offset[1:].replace(":", "").ljust(4, "0")
    try:
        return datetime.fromisoformat(f"{local.isoformat()}{offset[0]}{digits[:2]}:{digits[2:]}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        return Refusal(f"{text!r} is not a moment: {error}", _EXAMPLE)


def _in_zone(local: datetime, name: str, text: str) -> datetime | Refusal:
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as America/Argentina
        return Refusal(f"{text!r}: there is no time zone {name}", _EXAMPLE)
    try:
        first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    except OverflowError as error:
        return Refusal(f"{text!r} is not a moment: {error}", _EXAMPLE)
    if first != second:
        early, late = sorted((first, second))
        return Refusal(
            f"{text!r} is not one moment: clocks in {name} change there",
            f"write {early:%Y-%m-%dT%H:%M:%SZ} or {late:%Y-%m-%dT%H:%M:%SZ}",
        )
    return first
