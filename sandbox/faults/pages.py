"""Faults of single pages in the data files, while the servers are stopped for a moment.

Stopped, because a running server would write its own good copy of the page over the bad one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psycopg import sql

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.errors import GateRefused, TargetUnreachable
from recovery.waiting import wait_until
from sandbox import services
from sandbox.faults.page_format import (
    PAGE_BYTES,
    checksum,
    disorder_index_page,
    is_index_leaf,
    stored_checksum,
    with_checksum,
)
from sandbox.faults.report import Broken, Options
from sandbox.layout import PATIENCE_SECONDS, Sandbox
from sandbox.postgres import start_server, wait_until_streaming

_FLIPPED = slice(PAGE_BYTES - 120, PAGE_BYTES - 40)
_INDEX = "widgets_dashboard_id_idx"


@dataclass(frozen=True)
class _Page:
    """One page of a relation, in the same place on every server."""

    file: str
    number: int

    def read(self, data_dir: Path) -> bytes:
        with (data_dir / self.file).open("rb") as file:
            file.seek(self.number * PAGE_BYTES)
            return file.read(PAGE_BYTES)

    def write(self, data_dir: Path, content: bytes) -> None:
        with (data_dir / self.file).open("r+b") as file:
            file.seek(self.number * PAGE_BYTES)
            file.write(content)


def corrupt_heap_page(sandbox: Sandbox, options: Options) -> Broken:
    """Flip bytes in a page of a table (default: widgets): its checksum is wrong from then on."""
    table = options.table or "widgets"
    file, pages = _file_of(sandbox, table)
    page = _Page(file, pages // 2)
    kept = _change(sandbox, page, options, _flip)
    return _broken(f"flipped {_FLIPPED.stop - _FLIPPED.start} bytes in", table, page, kept)


def corrupt_index(sandbox: Sandbox, options: Options) -> Broken:
    """Swap two entries in a leaf of a btree (default: the widgets' dashboards); checksums stay right."""
    index = options.table or _INDEX
    file, pages = _file_of(sandbox, index)
    data = sandbox.data_dir("primary")
    leaves = (page for page in (_Page(file, number) for number in range(1, pages)) if is_index_leaf(page.read(data)))
    page = next(leaves, None)
    if page is None:
        raise GateRefused(
            f"{index} has no leaf page with enough entries", "name an index of a larger table with --table"
        )
    kept = _change(sandbox, page, options, lambda content: with_checksum(disorder_index_page(content), page.number))
    return replace(_broken("swapped two entries in", index, page, kept), kept={"index": index})


def rebuild_index(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Build the index anew; the old page is no longer what it should be, since rows have come."""
    statement = sql.SQL("REINDEX INDEX {}").format(sql.Identifier(kept["index"]))
    with connect(sandbox.admin_address(), statement_seconds=3600) as connection:
        connection.execute(statement)
    return f"{kept['index']} is built anew"


def put_page_back(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Write the sound page back where the damaged one still is (a replayed full page mends it too)."""
    page = _Page(kept["file"], kept["number"])

    def write() -> None:
        for server, content in kept["pages"].items():
            now = page.read(sandbox.data_dir(server))
            if stored_checksum(now) != checksum(now, page.number):
                page.write(sandbox.data_dir(server), bytes.fromhex(content))

    _while_stopped(sandbox, list(kept["pages"]), write)
    return f"page {page.number} of {page.file} is sound again"


def _change(sandbox: Sandbox, page: _Page, options: Options, damage: Callable[[bytes], bytes]) -> dict[str, str]:
    """Damage a page on each server; returns the sound pages, in hexadecimal."""
    servers: list[str] = ["primary", "standby"] if options.server == "both" else [options.server]
    kept: dict[str, str] = {}

    def write() -> None:
        for server in servers:
            sound = page.read(sandbox.data_dir(server))
            kept[server] = sound.hex()
            page.write(sandbox.data_dir(server), damage(sound))

    _while_stopped(sandbox, servers, write)
    return kept


def _while_stopped(sandbox: Sandbox, servers: list[str], work: Callable[[], None]) -> None:
    """Stop servers (the primary first), work, start them again."""
    if "standby" in servers:
        wait_until_streaming(sandbox)
    with connect(sandbox.admin_address(), statement_seconds=120) as connection:
        connection.execute("CHECKPOINT")
        # The checkpoint's record begins before this; the standby has to be past it.
        position = str(one_row(connection, "SELECT checkpoint_lsn FROM pg_control_checkpoint()")[0])
    try:
        for server in servers:
            if server == "standby":
                _settle_standby(sandbox, position)
            services.stop(services.find(sandbox, server))
            if server == "primary":
                position = _shutdown_checkpoint(sandbox)
        work()
    finally:
        for server in servers:
            start_server(sandbox, server)
    wait_until_streaming(sandbox)


def _settle_standby(sandbox: Sandbox, position: str) -> None:
    """Have the standby begin its next start behind a position.

    It would replay older WAL otherwise, and full page images in it would mend the page.
    """
    query = "SELECT pg_last_wal_replay_lsn() > %s::pg_lsn"
    with connect(sandbox.admin_address("standby"), statement_seconds=120) as connection:
        if not wait_until(lambda: one_row(connection, query, [position])[0], PATIENCE_SECONDS):
            raise TargetUnreachable(f"the standby does not reach {position}", "see standby/log in the folder")
        connection.execute("CHECKPOINT")


def _shutdown_checkpoint(sandbox: Sandbox) -> str:
    argv: list[str | Path] = [sandbox.bin_dir / "pg_controldata", "-D", sandbox.data_dir("primary")]
    told = Host(sandbox.prefix).run(argv, timeout_seconds=PROMPT_SECONDS).stdout
    return told.split("Latest checkpoint location:")[1].split()[0]


def _flip(content: bytes) -> bytes:
    return content[: _FLIPPED.start] + bytes(b ^ 0xFF for b in content[_FLIPPED]) + content[_FLIPPED.stop :]


def _file_of(sandbox: Sandbox, relation: str) -> tuple[str, int]:
    query = "SELECT pg_relation_filepath(c.oid), pg_relation_size(c.oid) FROM pg_class c WHERE oid = to_regclass(%s)"
    with connect(sandbox.admin_address(), statement_seconds=120) as connection:
        connection.execute("CHECKPOINT")
        if one_row(connection, "SELECT to_regclass(%s)::text", [relation])[0] is None:
            raise GateRefused(f"there is no table or index {relation}", "name another with --table")
        file, size = one_row(connection, query, [relation])
    if size < 2 * PAGE_BYTES:
        raise GateRefused(f"{relation} has fewer than two pages", "name a larger one with --table")
    return str(file), min(int(size), 1 << 30) // PAGE_BYTES


def _broken(what: str, relation: str, page: _Page, kept: dict[str, str]) -> Broken:
    where = " and ".join(kept)
    return Broken(
        f"{what} page {page.number} of {relation} ({page.file}) on {where}",
        details={"relation": relation, "file": page.file, "page": page.number},
        kept={"file": page.file, "number": page.number, "pages": kept},
    )
