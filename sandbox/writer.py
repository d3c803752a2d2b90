"""A writer that keeps making rows and notes what was acknowledged: `python -m sandbox.writer FOLDER`.

Before a commit it notes the rows, after it the commit's time. So a row without the second note has
an unknown outcome, and no acknowledged row is ever missing from the notes, even after kill -9.
One connection only: commit times then rise in the order of the notes.
"""

from __future__ import annotations

import itertools
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
from sandbox.connections import database_url
from sandbox.layout import Sandbox, load

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]
Rows = dict[str, list[str]]

_PAUSE_SECONDS = 0.2
_SIGN_UP_EVERY = 25  # one write of so many is somebody's first

_PEOPLE: LiteralString = """
    SELECT u.id::text, m.organization_id::text, w.id::text
    FROM users u JOIN organization_members m ON m.user_id = u.id JOIN workspaces w USING (organization_id)
    WHERE u.is_active IS NOT FALSE AND u.deleted_at IS NULL LIMIT 200"""
_SEE_ALL: LiteralString = "SELECT set_config('app.sees_all', 'on', true)"
_BEGIN: LiteralString = (
    "SELECT set_config('app.organization_id', %(organization)s, true), pg_current_xact_id()::xid::text"
)
_SIGN_UP: LiteralString = """
    WITH organization AS (
        INSERT INTO organizations (id, name, slug) VALUES (%(organization)s, %(name)s, %(token)s)
    ), person AS (
        INSERT INTO users (id, email, username, password_hash)
        VALUES (%(user)s, %(token)s || '@example.com', %(token)s, '$2b$12$' || md5(%(token)s))
    ), member AS (
        INSERT INTO organization_members (id, organization_id, user_id, role, joined_at)
        VALUES (%(member)s, %(organization)s, %(user)s, 'owner', now())
    ), workspace AS (
        INSERT INTO workspaces (id, name, encrypted_api_key, api_key_iv, organization_id, created_by)
        VALUES (%(workspace)s, %(name)s, md5('key' || %(token)s), md5('iv' || %(token)s), %(organization)s, %(user)s)
    )
    INSERT INTO workspace_members (id, workspace_id, user_id, role)
    VALUES (%(workspace_member)s, %(workspace)s, %(user)s, 'admin')"""
_INSERT: LiteralString = """
    WITH login AS (
        UPDATE users SET last_login_at = now() WHERE id = %(user)s
    ), session AS (
        INSERT INTO user_sessions (id, user_id, session_token, user_agent, expires_at)
        VALUES (%(session)s, %(user)s, %(token)s, 'sandbox writer', now() + interval '30 days')
    ), dashboard AS (
        INSERT INTO dashboards (id, workspace_id, created_by, name, layout_config)
        VALUES (%(dashboard)s, %(workspace)s, %(user)s, %(name)s, '{"columns": 12}')
    ), widget AS (
        INSERT INTO widgets (id, dashboard_id, type, title, position)
        VALUES (%(widget1)s, %(dashboard)s, 'bar', %(name)s, '{"x": 0, "y": 0}'),
               (%(widget2)s, %(dashboard)s, 'line', %(name)s, '{"x": 6, "y": 0}')
    ), schedule AS (
        INSERT INTO report_schedules (id, report_id, name, schedule_config, distribution_config, created_by)
        VALUES (%(schedule)s, %(dashboard)s, %(name)s, '{"frequency": "daily"}', '{"email": []}', %(user)s)
    )
    INSERT INTO audit_logs (id, organization_id, user_id, session_id, action, resource_type, resource_id)
    VALUES (%(audit)s, %(organization)s, %(user)s, %(session)s, 'create', 'dashboard', %(dashboard)s)"""

# Which rows are made: what the statements call them, and their table.
_MADE = {
    "session": "user_sessions",
    "dashboard": "dashboards",
    "widget1": "widgets",
    "widget2": "widgets",
    "schedule": "report_schedules",
    "audit": "audit_logs",
}
_MADE_AT_SIGN_UP = {
    "organization": "organizations",
    "user": "users",
    "member": "organization_members",
    "workspace": "workspaces",
    "workspace_member": "workspace_members",
}
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
        with connection.transaction():
            connection.execute(_SEE_ALL)
            people = connection.execute(_PEOPLE).fetchall()
        pause = 1 / self._sandbox.transactions_per_second
        due = time.monotonic()
        for number in itertools.count(1):
            if self._stopping:
                return
            if people and number % _SIGN_UP_EVERY:
                user, organization, workspace = random.choice(people)
                self._write_once(connection, _MADE, user=user, organization=organization, workspace=workspace)
            else:
                self._write_once(connection, _MADE_AT_SIGN_UP | _MADE)
            due = max(due + pause, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))

    def _write_once(self, connection: Connection, made: dict[str, str], **who: str) -> None:
        ids = {name: str(uuid.uuid4()) for name in made}
        values = {**ids, **who, "token": uuid.uuid4().hex, "name": f"made {datetime.now(UTC):%H:%M:%S}"}
        with connection.transaction():
            row = connection.execute(_BEGIN, values).fetchone()
            assert row is not None
            if not who:
                connection.execute(_SIGN_UP, values)
            connection.execute(_INSERT, values)
            write = next(self._ids)
            self._note(write=write, xid=row[1], rows=_by_table(made, ids))
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
        return open_connection(
            database_url(self._sandbox),
            connect_timeout=2,
            autocommit=True,
            application_name="clickview-writer",
            options="-c statement_timeout=5000 -c datestyle=ISO",
            tcp_user_timeout=5000,
        )


def _by_table(made: dict[str, str], ids: dict[str, str]) -> Rows:
    rows: Rows = {}
    for name, table in made.items():
        rows.setdefault(table, []).append(ids[name])
    return rows


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
