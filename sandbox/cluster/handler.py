"""The API over HTTPS: who asks, may they, and then what they ask for."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.cluster.answers import Object, Refused, bad_request
from sandbox.cluster.api import Api
from sandbox.cluster.rbac import User, require_right
from sandbox.cluster.request import Request, read_request
from sandbox.cluster.resources import discovery
from sandbox.cluster.watching import lines

_VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.3-sandbox", "platform": "linux/amd64"}
_WELL = ("/livez", "/readyz", "/healthz")


class Server(ThreadingHTTPServer):
    """Answers each connection in a thread of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, api: Api, users: dict[str, User], tls_dir: Path) -> None:
        self.api, self.users = api, users
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(tls_dir / "server.pem", tls_dir / "server.key")
        super().__init__(("127.0.0.1", port), Handler)

    def get_request(self) -> tuple[Any, Any]:
        """A connection; who does not finish its handshake holds up nobody else."""
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        import sys

        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: Server

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass  # clients poll

    def _answer(self) -> None:
        try:
            body = self._body()
            user = self._user()
            path = urlsplit(self.path).path.rstrip("/")
            if (plain := self._plain(path)) is not None:
                self._send(200, plain)
                return
            if path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" and self.command == "POST":
                self._send(201, self.server.api.review(user, body))
                return
            request = read_request(self.command, self.path)
            require_right(self.server.api.store, user, request.asked())
            if request.verb == "watch":
                self._watch(request)
                return
            self._send(*self.server.api.answer(request, body, self.headers.get("Content-Type") or ""))
        except Refused as refusal:
            self._send(refusal.code, refusal.status())

    def _plain(self, path: str) -> Object | bytes | None:
        if path == "/version":
            return dict(_VERSION)
        if path in _WELL:
            return b"ok"
        return discovery(path) if self.command == "GET" else None

    def _user(self) -> User:
        given = (self.headers.get("Authorization") or "").partition(" ")
        user = self.server.users.get(given[2].strip()) if given[0].lower() == "bearer" else None
        if user is None:
            raise Refused(401, "Unauthorized", "Unauthorized")
        return user

    def _body(self) -> Any:
        size = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(size) if size else b""
        if not text:
            return {}
        try:
            return json.loads(text)
        except ValueError as error:
            raise bad_request("the body of the request is not JSON") from error

    def _send(self, code: int, body: Object | bytes) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        if code == 429:
            self.send_header("Retry-After", "10")
        self.end_headers()
        self.wfile.write(content)

    def _watch(self, request: Request) -> None:
        api = self.server.api
        chosen = api.operations.selected(request.resource, request.query)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines(api.store, request, chosen):
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
