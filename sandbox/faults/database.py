"""Faults of the live database: it dies, or somebody destroys data in it."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.errors import GateRefused, TargetUnreachable
from sandbox import processes
from sandbox.faults.report import Broken, Options
from sandbox.layout import PATIENCE_SECONDS, Sandbox
from sandbox.postgres import start_server


def kill_primary(sandbox: Sandbox, _options: Options) -> Broken:
    """Kill -9 every process of the primary."""
    at = datetime.now(UTC)
    pids = processes.data_dir_pids(sandbox.data_dir("primary"))
    if not pids:
        raise GateRefused("the primary does not run", "start it: recover sandbox break kill-primary --undo")
    # A backend outlives its postmaster and goes on committing: all of them, until none is left.
    while pids:
        if processes.end(pids, signal.SIGKILL, seconds=PATIENCE_SECONDS):
            raise TargetUnreachable("the primary's processes do not end", "look for a process in state D")
        pids = processes.data_dir_pids(sandbox.data_dir("primary"))
    return Broken(f"killed the primary with all its processes at {at.isoformat()}", details={"at": at.isoformat()})


def start_primary(sandbox: Sandbox, _kept: dict[str, Any]) -> str:
    """Start the primary again."""
    start_server(sandbox, "primary")
    return "the primary runs again"


def drop_table(sandbox: Sandbox, options: Options) -> Broken:
    """Drop a table (default: widgets) and all that hangs on it."""
    table = options.table or "widgets"
    # As superuser, here and below: row level security must not turn "all rows" into "none".
    with connect(sandbox.admin_address(), autocommit=False) as connection:
        rows = _count(connection, table)
        xid = _transaction_id(connection)
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(table)))
        at = _commit(connection, xid)
    details: dict[str, str | int] = {"table": table, "rows": rows, "committed_at": at.isoformat()}
    return Broken(f"dropped table {table} with {rows} rows; committed at {at.isoformat()}", at, details)


def delete_rows(sandbox: Sandbox, options: Options) -> Broken:
    """Delete the newest rows of a table (default: dashboards) with all that belongs to them."""
    table = options.table or "dashboards"
    statement = sql.SQL("DELETE FROM {0} WHERE id IN (SELECT id FROM {0} ORDER BY created_at DESC, id LIMIT %s)")
    with connect(sandbox.admin_address(), autocommit=False) as connection:
        xid = _transaction_id(connection)
        deleted = connection.execute(statement.format(sql.Identifier(table)), [options.rows]).rowcount
        at = _commit(connection, xid)
    details: dict[str, str | int] = {"table": table, "rows": deleted, "committed_at": at.isoformat()}
    return Broken(
        f"deleted {deleted} rows of {table} and what belongs to them; committed at {at.isoformat()}", at, details
    )


def _transaction_id(connection: Connection) -> str:
    return str(one_row(connection, "SELECT pg_current_xact_id()::xid::text")[0])


def _commit(connection: Connection, xid: str) -> datetime:
    connection.commit()
    moment: datetime = one_row(connection, "SELECT pg_xact_commit_timestamp(%s::text::xid)", [xid])[0]
    return moment.astimezone(UTC)


def _count(connection: Connection, table: str) -> int:
    found = one_row(connection, "SELECT to_regclass(%s)::text", [table])[0]
    if found is None:
        raise GateRefused(f"there is no table {table}", "see psql -c '\\dt'")
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])
