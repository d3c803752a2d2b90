"""Reads the JSON of a cluster. Whatever is missing, or of another kind than it should be, is empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]

_LONGEST = 1000  # a scheduler's message about many nodes; longer ones say nothing new


def value(thing: object, *path: str) -> Any:
    """What stands there, or None."""
    for key in path:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing


def part(thing: object, *path: str) -> dict[str, Any]:
    """An object in it."""
    found = value(thing, *path)
    return found if isinstance(found, dict) else {}


def items(thing: object, *path: str) -> list[dict[str, Any]]:
    """A list of objects in it."""
    found = value(thing, *path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(thing: object, *path: str) -> str:
    """A text in it: on one line, without what a terminal would obey, and no longer than somebody reads."""
    found = value(thing, *path)
    return plain(found) if isinstance(found, str) else ""


def plain(strange: str) -> str:
    """Strange text, fit for a line of a log, a table or a terminal."""
    line = "".join(letter if letter.isprintable() else " " for letter in strange[:_LONGEST]).strip()
    return f"{line}…" if len(strange) > _LONGEST else line


def number(thing: object, *path: str, default: int = 0) -> int:
    """A whole number in it."""
    found = value(thing, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def moment(thing: object, *path: str) -> datetime | None:
    """A moment in it."""
    try:
        read = datetime.fromisoformat(text(thing, *path))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def name_of(thing: object) -> str:
    return text(thing, "metadata", "name")


def uid_of(thing: object) -> str:
    return text(thing, "metadata", "uid")


def condition(thing: object, kind: str) -> dict[str, Any]:
    """A condition of its status; empty when it is not there."""
    return next((one for one in items(thing, "status", "conditions") if one.get("type") == kind), {})


def owned_by(thing: object, uids: set[str]) -> bool:
    """Whether one of these controls it."""
    return any(
        one.get("controller") is True and one.get("uid") in uids for one in items(thing, "metadata", "ownerReferences")
    )
