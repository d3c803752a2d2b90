"""Which position a named restore point stands for, or why that cannot be said."""

from __future__ import annotations

from recovery.facts import Refusal
from recovery.wal import RestorePoint, SearchedWal, format_lsn

_SHOWN_NAMES = 5
# pgBackRest's own, one for every `check` of the archive.
_NOT_OURS = "pgBackRest Archive Check"


def choose_restore_point(name: str, found: SearchedWal, timeline: int) -> RestorePoint | Refusal:
    """The one restore point of this name in the WAL that was searched.

    A name may be given again and again; PostgreSQL would stop at the first that it meets.
    """
    named = [point for point in found.points if point.name == name]
    if len(named) == 1:
        return named[0]
    if named:
        listed = "; ".join(_shown(point) for point in named)
        positions = " or ".join(f"--target-lsn={format_lsn(point.lsn)}" for point in named)
        return Refusal(f"restore point {name!r} was made {len(named)} times: {listed}", f"say which: {positions}")
    return Refusal(f"restore point {name!r} was not found in {_searched(found, timeline)}", _advice(found))


def unread_warning(name: str, found: SearchedWal) -> str | None:
    """What must be said of a restore point that was found, when not all of the WAL could be searched."""
    if not found.unread:
        return None
    return (
        f"restore point {name!r} was found, but {_unread(found)}: whether its name was given twice is not known; "
        "run: recover backup check"
    )


def _searched(found: SearchedWal, timeline: int) -> str:
    if not found.unread:
        return f"the archived WAL of timeline {timeline} ({_segments(found.read)} read)"
    return f"the {_segments(found.read)} of timeline {timeline} that could be read; {_unread(found)}"


def _unread(found: SearchedWal) -> str:
    return f"{len(found.unread)} could not be read ({found.unread[0]}{' …' if len(found.unread) > 1 else ''})"


def _advice(found: SearchedWal) -> str:
    newest = [point.name for point in reversed(found.points) if point.name != _NOT_OURS]
    names = list(dict.fromkeys(newest))[:_SHOWN_NAMES]
    known = f"the newest there are: {', '.join(map(repr, names))}" if names else "there is none of another name"
    unread = "run recover backup check, which names what is missing; " if found.unread else ""
    return f"{unread}check the name ({known}); or restore to a moment: --target-time"


def _shown(point: RestorePoint) -> str:
    moment = f"at {point.made_at:%Y-%m-%d %H:%M:%S.%f} UTC" if point.made_at else "at an unknown moment"
    return f"{moment} (LSN {format_lsn(point.lsn)})"


def _segments(count: int) -> str:
    return f"{count} segment{'' if count == 1 else 's'}"
