"""A small stand-in for ClickView's backend: `python -m sandbox.application FOLDER`.

GET /health really asks the database and Redis; a few API routes read and write. Row level security holds for it, as for
the real one: what is of no single organization says so.
"""

from __future__ import annotations

import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

from recovery.adapters.postgres.connection import open_connection
from sandbox.connections import database_url, read_connections
from sandbox.layout import Sandbox, load

VERSION = "2.3.0"
COUNTED = ("organizations", "users", "user_sessions", "workspaces", "dashboards", "widgets")

_SEE_ALL: LiteralString = "SELECT set_config('app.sees_all', 'on', true)"
_HEALTH: LiteralString = "SELECT pg_is_in_recovery() FROM organizations LIMIT 1"
_INSERT_DASHBOARD: LiteralString = """
    INSERT INTO dashboards (workspace_id, created_by, name)
    SELECT w.id, m.user_id, %s FROM workspaces w JOIN organization_members m USING (organization_id) LIMIT 1
    RETURNING id::text"""
_LOG_IN: LiteralString = """
    INSERT INTO user_sessions (user_id, session_token, expires_at)
    SELECT id, %s, now() + interval '30 days' FROM users
    WHERE email = %s AND is_active IS NOT FALSE AND deleted_at IS NULL
    RETURNING user_id::text"""


class Backend:
    """What the routes do. Every call opens its own connections: an outage is seen at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def health(self) -> tuple[int, dict[str, Any]]:
        """Which parts work, as the real backend says it."""
        checks = {"database": self._database_problem(), "redis": self._redis_problem()}
        well = not any(checks.values())
        said = {name: {"status": "fail", "message": why} if why else {"status": "pass"} for name, why in checks.items()}
        status = "healthy" if well else "unhealthy"
        return (200 if well else 503), {"status": status, "version": VERSION, "checks": said}

    def counts(self) -> tuple[int, dict[str, int]]:
        """Rows of the main tables."""
        with self._connect() as connection:
            connection.execute(_SEE_ALL)
            return 200, {table: self._count(connection, table) for table in COUNTED}

    def dashboards(self) -> tuple[int, list[dict[str, str]]]:
        """The newest dashboards."""
        query = "SELECT id::text, name, created_at FROM dashboards ORDER BY created_at DESC LIMIT 50"
        with self._connect() as connection:
            rows = connection.execute(query).fetchall()
        return 200, [{"id": id, "name": name, "created_at": at.isoformat()} for id, name, at in rows]

    def create_dashboard(self, body: dict[str, Any]) -> tuple[int, dict[str, str]]:
        """Make a dashboard."""
        with self._connect() as connection:
            row = connection.execute(_INSERT_DASHBOARD, [str(body.get("name") or "untitled")]).fetchone()
        return (201, {"id": row[0]}) if row else (404, {"error": "there is no workspace"})

    def log_in(self, body: dict[str, Any]) -> tuple[int, dict[str, str]]:
        """Open a session: a row in the database, and the token in Redis."""
        token = secrets.token_hex(24)
        with self._connect() as connection:
            connection.execute(_SEE_ALL)
            row = connection.execute(_LOG_IN, [token, body.get("email")]).fetchone()
        if not row:
            return 401, {"error": "unknown user"}
        self._redis().set(f"session:{token}", row[0], ex=3600)
        return 201, {"token": token}

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return open_connection(
            database_url(self._sandbox),
            connect_timeout=2,
            options="-c statement_timeout=5000 -c datestyle=ISO",
            application_name="clickview-backend",
        )

    def _redis(self) -> redis.Redis:
        values = read_connections(self._sandbox)
        return redis.Redis(
            host=values["REDIS_HOST"],
            port=int(values["REDIS_PORT"]),
            password=Path(values["REDIS_PASSWORD_FILE"]).read_text().strip(),
            socket_connect_timeout=2,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )

    def _database_problem(self) -> str | None:
        try:
            with self._connect() as connection:
                connection.execute(_SEE_ALL)
                row = connection.execute(_HEALTH).fetchone()
        except (psycopg.Error, OSError) as error:
            return f"down: {type(error).__name__}"
        if row is None:
            return "no organization"
        return "read only" if row[0] else None

    def _redis_problem(self) -> str | None:
        probe = secrets.token_hex(8)
        try:
            with self._redis() as cache:
                cache.set(f"health:{probe}", probe, ex=10)
                return None if cache.getdel(f"health:{probe}") == probe.encode() else "wrong answer"
        except (redis.RedisError, OSError) as error:
            return f"down: {type(error).__name__}"

    def _count(self, connection: psycopg.Connection[tuple[Any, ...]], table: str) -> int:
        row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        return int(row[0]) if row else 0


class _Routes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    backend: Backend

    def do_GET(self) -> None:
        routes = {"/health": "health", "/api/counts": "counts", "/api/dashboards": "dashboards"}
        self._answer(routes.get(self.path))

    def do_POST(self) -> None:
        routes = {"/api/dashboards": "create_dashboard", "/api/sessions": "log_in"}
        size = int(self.headers.get("Content-Length") or 0)
        try:
            body = json.loads(self.rfile.read(size) or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._send(400, {"error": "the body is not a JSON object"})
            return
        self._answer(routes.get(self.path), body)

    def _answer(self, name: str | None, *arguments: Any) -> None:
        if name is None:
            self._send(404, {"error": "no such route"})
            return
        try:
            status, body = getattr(self.backend, name)(*arguments)
        except (psycopg.Error, redis.RedisError, OSError) as error:
            status, body = 503, {"error": type(error).__name__}
        self._send(status, body)

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass  # health checks come every second


def main(folder: str) -> None:
    """Serve until killed."""
    sandbox = load(Path(folder))
    _Routes.backend = Backend(sandbox)
    ThreadingHTTPServer(("127.0.0.1", sandbox.ports["backend"]), _Routes).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
