"""The last lines of a log: masked, and without bytes that would do something to a terminal or a database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from recovery.adapters.files import exists, read_text
from recovery.adapters.process import Host
from recovery.errors import SettingsInvalid
from recovery.redaction import redact

_READ_BYTES = 2_000_000  # of a log file: one that grew for years is not read whole
_LONGEST_LINE = 4_000
# PostgreSQL's, when it writes in UTC; other lines (and other zones) say no moment that can be relied on.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)? ?(?:UTC|GMT|Z)\b")


def last_lines(text: str, count: int) -> str:
    """The last lines of a text, fit to be shown and kept."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    return redact("\n".join(_shown(line) for line in lines[-count:]))


def file_lines(host: Host, file: Path, count: int, since: datetime | None, *, setting: str) -> str:
    """The last lines of a log file.

    Raises: SettingsInvalid when it is not there; CommandFailed when it cannot be read.
    """
    text = read_text(host, file, last_bytes=_READ_BYTES)
    if not text and not exists(host, file):
        raise SettingsInvalid(f"there is no log {file}", f"name it in recovery.toml: {setting}")
    lines = text.split("\n")
    if len(text.encode()) >= _READ_BYTES:
        lines = lines[1:]  # where it was cut
    return last_lines("\n".join(lines_since(lines, since)), count)


def lines_since(lines: Sequence[str], since: datetime | None) -> list[str]:
    """The lines from a moment on; all of them where none tells when it was written."""
    moments = [(number, moment) for number, line in enumerate(lines) if (moment := _moment(line))]
    if since is None or not moments:
        return list(lines)
    first = next((number for number, moment in moments if moment >= since), len(lines))
    return list(lines[first:])


def _moment(line: str) -> datetime | None:
    found = _MOMENT.match(line)
    if not found:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or ''}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _shown(line: str) -> str:
    shown = "".join(letter if letter.isprintable() or letter == "\t" else "\ufffd" for letter in line[:_LONGEST_LINE])
    return shown + " …" if len(line) > _LONGEST_LINE else shown
