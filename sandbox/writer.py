"""A writer that keeps making rows and notes what was acknowledged: `python -m sandbox.writer FOLDER`.

Before a commit it notes the rows, after it the commit's time. So a row without the second note has
an unknown outcome, and no acknowledged row is ever missing from the notes, even after kill -9.
One connection only: commit times then rise in the order of the notes.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, LiteralString, TextIO

import psycopg

from recovery.adapters.postgres.connection import open_connection
from sandbox.connections import database_address
from sandbox.layout import Sandbox, load

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]
Rows = dict[str, list[str]]

_PAUSE_SECONDS = 0.2
_PEOPLE: LiteralString = """
    SELECT u.id::text, u.organization_id::text, w.id::text
    FROM users u JOIN workspaces w USING (organization_id) LIMIT 200"""
_BEGIN: LiteralString = "SELECT set_config('app.organization', %(organization)s, true), pg_current_xact_id()::xid::text"
_INSERT: LiteralString = """
    WITH session AS (
        INSERT INTO user_sessions (id, user_id, token_hash, user_agent, expires_at)
        VALUES (%(session)s, %(user)s, %(token)s, 'sandbox writer', now() + interval '30 days')
    ), dashboard AS (
        INSERT INTO dashboards (id, workspace_id, owner_id, name, layout)
        VALUES (%(dashboard)s, %(workspace)s, %(user)s, %(name)s, '{"columns": 12}')
    ), widget AS (
        INSERT INTO widgets (id, dashboard_id, kind, title, position)
        VALUES (%(widget1)s, %(dashboard)s, 'bar', %(name)s, '{"x": 0, "y": 0}'),
               (%(widget2)s, %(dashboard)s, 'line', %(name)s, '{"x": 6, "y": 0}')
    )
    INSERT INTO audit_logs (id, organization_id, user_id, action, entity_type, entity_id)
    VALUES (%(audit)s, %(organization)s, %(user)s, 'create', 'dashboard', %(dashboard)s)"""
_COMMITTED_AT: LiteralString = "SELECT pg_xact_commit_timestamp(%s::text::xid)"


class Writer:
    """Writes at a steady rate until told to stop."""

    def __init__(self, sandbox: Sandbox, notes: TextIO) -> None:
        self._sandbox, self._notes = sandbox, notes
        self._ids = _numbers()
        self._stopping = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """End after the current transaction."""
        self._stopping = True

    def run(self) -> None:
        """Write; after any trouble connect again, wherever the application's database is by then."""
        while not self._stopping:
            try:
                with self._connect() as connection:
                    self._write_steadily(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("%s", " ".join(str(error).split())[:300])
                time.sleep(_PAUSE_SECONDS)

    def _write_steadily(self, connection: Connection) -> None:
        people = connection.execute(_PEOPLE).fetchall()
        pause = 1 / self._sandbox.transactions_per_second
        due = time.monotonic()
        while not self._stopping:
            self._write_once(connection, *random.choice(people))
            due = max(due + pause, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def _write_once(self, connection: Connection, user: str, organization: str, workspace: str) -> None:
        ids = {name: str(uuid.uuid4()) for name in ("session", "dashboard", "widget1", "widget2", "audit")}
        values = {**ids, "user": user, "organization": organization, "workspace": workspace}
        values |= {"token": uuid.uuid4().hex, "name": f"made {datetime.now(UTC):%H:%M:%S}"}
        with connection.transaction():
            row = connection.execute(_BEGIN, values).fetchone()
            assert row is not None
            connection.execute(_INSERT, values)
            write = next(self._ids)
            self._note(write=write, xid=row[1], rows=_rows_of(ids))
        acked = datetime.now(UTC)
        self._note(write=write, committed_at=self._commit_time(connection, row[1]), acked_at=acked.isoformat())

    def _commit_time(self, connection: Connection, xid: str) -> str | None:
        try:
            row = connection.execute(_COMMITTED_AT, [xid]).fetchone()
        except psycopg.Error:
            return None  # acknowledged, and then the server went: only the upper limit is known
        return row[0].astimezone(UTC).isoformat(timespec="microseconds") if row and row[0] else None

    def _note(self, **values: Any) -> None:
        self._notes.write(json.dumps(values) + "\n")
        self._notes.flush()

    def _connect(self) -> Connection:
        at = database_address(self._sandbox)
        return open_connection(
            host=at.host,
            port=at.port,
            dbname=at.name,
            user=at.user,
            password=at.password,
            connect_timeout=2,
            autocommit=True,
            application_name="clickview-writer",
            options="-c statement_timeout=5000",
            tcp_user_timeout=5000,
        )


def _rows_of(ids: dict[str, str]) -> Rows:
    return {
        "user_sessions": [ids["session"]],
        "dashboards": [ids["dashboard"]],
        "widgets": [ids["widget1"], ids["widget2"]],
        "audit_logs": [ids["audit"]],
    }


def _numbers() -> Iterator[str]:
    run = f"{time.time_ns():x}"
    number = 0
    while True:
        number += 1
        yield f"{run}-{number}"


def main(folder: str) -> None:
    """Write until SIGTERM."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    sandbox = load(Path(folder))
    with sandbox.notes_file.open("a") as notes:
        writer = Writer(sandbox, notes)
        signal.signal(signal.SIGTERM, writer.stop)
        writer.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
