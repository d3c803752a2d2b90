"""A server's pg_hba.conf: what the server reads in it, whether a role comes in, and a line put into the right place."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.adapters import files
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.admission import HbaFile, HbaLine, HbaRule
from recovery.errors import CommandFailed, SettingsInvalid, TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.stopping import finishing
from recovery.waiting import wait_until

_LOOK_SECONDS = 5
_RELOAD_SECONDS = 30.0  # the server rereads the file when it next looks up; moments, on a quiet machine
_ANSWER_SECONDS = 30.0  # a busy server may not answer the first call
_NOTE = "# Added by `recover site prepare`: {}.\n"


def read_hba_file(address: DatabaseAddress) -> HbaFile:
    """The lines of pg_hba.conf, and of what it includes, as the server reads them now; needs a superuser."""
    with connect(address, read_only=True) as connection:
        path, ssl = one_row(connection, "SELECT current_setting('hba_file'), current_setting('ssl')::bool")
        # What a line has grew from version to version (PostgreSQL 16: the file, and the order of the lines).
        # As bytes: a name in it may be in any encoding.
        rows = connection.execute("SELECT textsend(to_jsonb(r)::text) FROM pg_hba_file_rules r").fetchall()
    return HbaFile(path, tuple(_rule(json.loads(row[0].decode(errors="replace")), path) for row in rows), ssl)


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
    """The address from which we come to a server; None when its address is a Unix socket.

    What stands between us and it (NAT, a proxy) may show it another.
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


def reload(address: DatabaseAddress) -> None:
    """Have the server read its configuration again; new connections come under it.

    Waits: until a new connection shows it. With a mistake in postgresql.conf none does: then that is all.
    """
    before = _loaded_at(address)
    with connect(address) as connection:
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: _loaded_at(address) != before, _RELOAD_SECONDS, pause=0.1)


def _loaded_at(address: DatabaseAddress) -> datetime:
    with connect(address, read_only=True) as connection:
        loaded: datetime = one_row(connection, "SELECT pg_conf_load_time()")[0]
    return loaded


def add_lines(host: Host, address: DatabaseAddress, lines: Sequence[HbaLine]) -> Path:
    """Write lines into pg_hba.conf and have the server read it; returns where the old file is kept.

    Owner and mode stay. A file that the server does not take, or that was not written whole, is replaced by the old one.
    Raises: VerificationFailed when it was not taken; CommandFailed when the file cannot be written.
    """
    [path] = files.real_paths(host, [Path(read_hba_file(address).path)])
    with kept_if_it_fails(host, path) as (kept, content):
        replace_content(host, path, with_lines(content, lines))
        if wrong := next((rule for rule in read_hba_file(address).rules if rule.error), None):
            raise VerificationFailed(
                f"{path} line {wrong.line}: {wrong.error}; the old file is back", f"write the line by hand; see {kept}"
            )
    reload(address)
    return kept


def wait_until_in(address: DatabaseAddress) -> bool:
    """Whether a role comes in. Waits: for a server that does not answer."""

    def tried() -> bool | None:
        with suppress(TargetUnreachable):
            return comes_in(address)
        return None

    return bool(wait_until(tried, _ANSWER_SECONDS, so=lambda answer: answer is not None, pause=0.2))


def with_lines(content: bytes, lines: Sequence[HbaLine]) -> bytes:
    """pg_hba.conf with these lines, each before the line it belongs before; no other byte changes. Pure."""
    # A line ends with a line feed and nothing else, and a name may be in any encoding.
    old = re.findall(rb"[^\n]*\n|[^\n]+", content)
    if old and not old[-1].endswith(b"\n"):
        old[-1] += b"\n"
    first = next(
        (n for n, line in enumerate(old, 1) if line.strip() and not line.lstrip().startswith(b"#")), len(old) + 1
    )
    places = [(len(old) + 1 if line.before is None else line.before or first, line) for line in lines]
    for place, line in sorted(places, key=lambda one: one[0], reverse=True):
        old[place - 1 : place - 1] = [_NOTE.format(line.purpose).encode(), f"{line.text}\n".encode()]
    return b"".join(old)


@contextmanager
def kept_if_it_fails(host: Host, path: Path) -> Iterator[tuple[Path, bytes]]:
    """Keep a file beside itself, and have it back when what is done in here fails: no half file, and no half-read one."""
    stamp = f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (f"{stamp}.{number}" if number else stamp for number in itertools.count())
    kept = next(one for one in map(path.with_name, names) if not files.exists(host, one))
    content = files.read_bytes(host, path)
    with finishing():
        host.run(["cp", "-p", path, kept], timeout_seconds=PROMPT_SECONDS)
        try:
            yield kept, content
        except BaseException:
            _put_back(host, path, kept, content)
            raise


def _put_back(host: Host, path: Path, kept: Path, content: bytes) -> None:
    if files.read_bytes(host, path) == content:
        return
    try:
        host.run(["cp", kept, path], timeout_seconds=PROMPT_SECONDS)
    except CommandFailed as error:
        raise VerificationFailed(
            f"{path} is not whole, and the old file did not come back: {error.last_lines}",
            f"do it now: cp {kept} {path}",
        ) from error


def replace_content(host: Host, path: Path, content: bytes) -> None:
    """Other content for a file that keeps its owner and mode: whole or not at all, but in place where only that keeps the owner."""
    beside = path.with_name(f".{path.name}.new")

    def owner_and_mode(of: Path) -> str:
        return host.run(["stat", "-c", "%u:%g %a", of], timeout_seconds=PROMPT_SECONDS).stdout

    try:
        host.run(["cp", "-p", path, beside], timeout_seconds=PROMPT_SECONDS)
        files.write_bytes(host, beside, content)
        same = owner_and_mode(beside) == owner_and_mode(path)
        host.run(["mv", "-f", beside, path] if same else ["cp", beside, path], timeout_seconds=PROMPT_SECONDS)
    finally:
        host.run(["rm", "-f", beside], timeout_seconds=PROMPT_SECONDS)
