"""A small stand-in for ClickView's backend, the process of a pod: `python -m sandbox.application FOLDER`.

It knows its database and its Redis from its environment, read when it starts: DATABASE_URL and REDIS_URL. GET /health
really asks both; a few API routes read and write. Row level security holds for it, as for the real one: what is of no
single organization says so. The port that it got stands in the folder; what it has to say goes to its output.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

from recovery.adapters.postgres.connection import open_connection

_SLOW_SECONDS = 2.0  # an answer that takes longer is a warning
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

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._database_url, self._redis_url = environment["DATABASE_URL"], environment["REDIS_URL"]
        self._version = environment.get("CLICKVIEW_VERSION", "unknown")

    def live(self) -> tuple[int, dict[str, str]]:
        """That the process answers."""
        return 200, {"status": "alive"}

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Whether it can do its work."""
        status, told = self.health()
        return status, {"status": "ready" if status == 200 else "not ready", "checks": told["checks"]}

    def health(self) -> tuple[int, dict[str, Any]]:
        """Which parts work, as the real backend says it."""
        checks = {"database": _check(self._database_problem), "redis": _check(self._redis_problem)}
        found = {check["status"] for check in checks.values()}
        status = "unhealthy" if "fail" in found else "degraded" if "warn" in found else "healthy"
        for name, check in checks.items():
            if check["status"] != "pass":
                log("error" if check["status"] == "fail" else "warn", f"health: {name}: {check['message']}")
        return (503 if status == "unhealthy" else 200), {"status": status, "version": self._version, "checks": checks}

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
            self._database_url,
            connect_timeout=2,
            options="-c statement_timeout=5000 -c datestyle=ISO",
            application_name="clickview-backend",
        )

    def _redis(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._redis_url, socket_connect_timeout=2, socket_timeout=2, retry=Retry(NoBackoff(), 0)
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
        routes = {
            "/health": "health",
            "/ready": "ready",
            "/live": "live",
            "/api/counts": "counts",
            "/api/dashboards": "dashboards",
        }
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
            log("error", f"{self.command} {self.path}: {type(error).__name__}: {str(error).splitlines()[0]}")
        self._send(status, body)

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass  # probes come every few seconds


def _check(look: Callable[[], str | None]) -> dict[str, str]:
    began = time.monotonic()
    problem = look()
    if problem:
        return {"status": "fail", "message": problem}
    seconds = time.monotonic() - began
    return {"status": "warn", "message": f"slow: {seconds:.1f} s"} if seconds > _SLOW_SECONDS else {"status": "pass"}


def log(level: str, message: str) -> None:
    """A line of the pod's log."""
    print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {level} {message}", flush=True)  # noqa: T201


def start_refusal(environment: Mapping[str, str]) -> str | None:
    """Why it does not start in this environment, or None."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        if not environment.get(name):
            return f"{name} is not set"
    if not re.fullmatch("[0-9a-fA-F]{64}", environment.get("ENCRYPTION_KEY", "")):
        return "ENCRYPTION_KEY must be 64 hexadecimal digits"
    if environment.get("CLICKVIEW_VERSION", "").startswith("2.4") and not environment.get("MASTER_ENCRYPTION_KEY"):
        return "MASTER_ENCRYPTION_KEY is not set, and 2.4 needs it"
    return None


def main(folder: str) -> None:
    """Serve until killed."""
    if refusal := start_refusal(os.environ):
        log("fatal", f"clickview-backend {os.environ.get('CLICKVIEW_VERSION')} does not start: {refusal}")
        sys.exit(1)
    _Routes.backend = Backend(dict(os.environ))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Routes)
    beside = Path(folder, "port.new")
    beside.write_text(str(server.server_port))
    beside.replace(Path(folder, "port"))
    log("info", f"clickview-backend {os.environ.get('CLICKVIEW_VERSION')} listens on {os.environ.get('PORT')}")
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
