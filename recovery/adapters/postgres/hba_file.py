"""A server's pg_hba.conf: what the server reads in it, whether a role comes in, and a line put into the right place."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.adapters import files
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.admission import HbaFile, HbaLine, HbaRule
from recovery.errors import SettingsInvalid, TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.waiting import wait_until

_LOOK_SECONDS = 5
_RELOAD_SECONDS = 30.0  # the server rereads the file when it next looks up; moments, on a quiet machine
_NOTE = "# Added by `recover site prepare`: {}.\n"


def read_hba_file(address: DatabaseAddress) -> HbaFile:
    """The lines of pg_hba.conf, and of what it includes, as the server reads them now; needs a superuser."""
    with connect(address, read_only=True) as connection:
        path = str(one_row(connection, "SELECT current_setting('hba_file')")[0])
        # What a line has grew from version to version (PostgreSQL 16: the file, and the order of the lines).
        rows = connection.execute("SELECT to_jsonb(r) FROM pg_hba_file_rules r").fetchall()
    return HbaFile(path, tuple(_rule(row[0], path) for row in rows))


def _rule(row: dict[str, Any], path: str) -> HbaRule:
    return HbaRule(
        file=row.get("file_name") or path,
        line=row["line_number"],
        kind=row["type"] or "",
        databases=tuple(row["database"] or ()),
        users=tuple(row["user_name"] or ()),
        address=row["address"],
        netmask=row["netmask"],
        method=row["auth_method"] or "",
        error=row["error"],
    )


def comes_in(address: DatabaseAddress) -> bool:
    """Whether the server lets this role in with its password.

    Raises: TargetUnreachable when it does not answer: that is no refusal.
    """
    try:
        with connect(address, connect_seconds=_LOOK_SECONDS) as connection:
            connection.execute("SELECT 1")
    except SettingsInvalid:
        return False
    return True


def address_seen(host: str, port: int) -> str | None:
    """The address at which a server sees us; None when its address is a Unix socket.

    Raises: TargetUnreachable when nobody listens there.
    """
    if host.startswith("/"):
        return None
    try:
        with socket.create_connection((host, port), timeout=_LOOK_SECONDS) as there:
            return str(there.getsockname()[0]).partition("%")[0]
    except OSError as error:
        raise TargetUnreachable(
            f"{host}:{port} does not answer: {error}",
            "check that the server runs, listens there and the address is right",
        ) from error


def add_lines(host: Host, address: DatabaseAddress, lines: Sequence[HbaLine]) -> Path:
    """Write lines into pg_hba.conf and have the server read it; returns where the old file is kept.

    Owner and mode stay. A file that the server does not take is replaced by the old one.
    Raises: VerificationFailed when it was not taken; CommandFailed when the file cannot be written.
    """
    [path] = files.real_paths(host, [Path(read_hba_file(address).path)])
    text = host.run(["cat", path], timeout_seconds=PROMPT_SECONDS).stdout
    kept = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    host.run(["cp", "-p", path, kept], timeout_seconds=PROMPT_SECONDS)
    _replace(host, path, with_lines(text, lines))
    if wrong := next((rule for rule in read_hba_file(address).rules if rule.error), None):
        host.run(["cp", "-p", kept, path], timeout_seconds=PROMPT_SECONDS)
        raise VerificationFailed(
            f"{path} line {wrong.line}: {wrong.error}; the old file is back", f"write the line by hand; see {kept}"
        )
    with connect(address) as connection:
        connection.execute("SELECT pg_reload_conf()")
    return kept


def wait_until_in(address: DatabaseAddress) -> bool:
    """Whether a role comes in, once the server has read its pg_hba.conf again."""

    def tried() -> bool:
        with suppress(TargetUnreachable):
            return comes_in(address)
        return False

    return wait_until(tried, _RELOAD_SECONDS, pause=0.2)


def with_lines(text: str, lines: Sequence[HbaLine]) -> str:
    """The text of pg_hba.conf with these lines, each before the line it belongs before. Pure."""
    old = text.splitlines(keepends=True)
    if old and not old[-1].endswith("\n"):
        old[-1] += "\n"
    first = next(
        (n for n, line in enumerate(old, 1) if line.strip() and not line.lstrip().startswith("#")), len(old) + 1
    )
    places = [(len(old) + 1 if line.before is None else line.before or first, line) for line in lines]
    for place, line in sorted(places, key=lambda one: one[0], reverse=True):
        old[place - 1 : place - 1] = [_NOTE.format(line.purpose), f"{line.text}\n"]
    return "".join(old)


def _replace(host: Host, path: Path, text: str) -> None:
    """The file whole or not at all, with the owner and mode it has; in place where only that keeps the owner."""
    beside = path.with_name(f".{path.name}.new")

    def owner_and_mode(of: Path) -> str:
        return host.run(["stat", "-c", "%u:%g %a", of], timeout_seconds=PROMPT_SECONDS).stdout

    host.run(["cp", "-p", path, beside], timeout_seconds=PROMPT_SECONDS)
    same = owner_and_mode(beside) == owner_and_mode(path)
    if same:
        host.run(["tee", beside], stdin=text, timeout_seconds=PROMPT_SECONDS)
        host.run(["mv", "-f", beside, path], timeout_seconds=PROMPT_SECONDS)
    else:
        host.run(["rm", "-f", beside], timeout_seconds=PROMPT_SECONDS)
        host.run(["tee", path], stdin=text, timeout_seconds=PROMPT_SECONDS)
