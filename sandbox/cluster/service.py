"""The backend's Service and what stands before it: `python -m sandbox.cluster.service FOLDER`.

A process of its own: it goes on when the API is down or hangs. Each request goes to the next ready pod; without one
the answer is 503, when the pod breaks the connection 502, when it does not answer in time 504. Under more load than
the ready pods can carry, answers come late and most requests are refused.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from sandbox.cluster.places import endpoints_file
from sandbox.layout import load

_ANSWER_SECONDS = 8.0  # of a pod; below the 10 s of those who ask
_LATEST_SECONDS = 2.0
_TEXT = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
_turns = count()
_refusals = threading.Lock()


class Front(BaseHTTPRequestHandler):
    """One connection of a user."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30
    endpoints: Path
    debt = 0.0  # of requests that are to be refused

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = self._endpoints()
        pods: list[int] = told["pods"]
        if not pods:
            self._refuse(503)
            return
        over = told["load"] / len(pods) - 1
        if over > 0:
            time.sleep(min(_LATEST_SECONDS, over * 3))
            if self._is_refused(min(1.0, over * 1.5)):
                self._refuse(503)
                return
        self._forward(pods[next(_turns) % len(pods)], body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _endpoints(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self.endpoints.read_text())
        except (OSError, ValueError):
            return {"pods": [], "load": 0.0}
        return told

    def _is_refused(self, share: float) -> bool:
        with _refusals:
            Front.debt += share
            refused = Front.debt >= 1
            Front.debt -= refused
            return refused

    def _forward(self, port: int, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "host")}
        try:
            connection.request(self.command, self.path, body, headers | {"Connection": "close"})
            answer = connection.getresponse()
            content, kind = answer.read(), answer.getheader("Content-Type") or "text/plain"
            status = answer.status
        except TimeoutError:
            self._refuse(504)
            return
        except (OSError, http.client.HTTPException):
            self._refuse(502)
            return
        finally:
            connection.close()
        self._send(status, kind, content)

    def _refuse(self, code: int) -> None:
        self._send(code, "text/html", f"<html><h1>{code} {_TEXT[code]}</h1></html>\n".encode())

    def _send(self, code: int, kind: str, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class FrontServer(ThreadingHTTPServer):
    """As many users at once as come."""

    daemon_threads = True
    request_queue_size = 128


def main(folder: str) -> None:
    """Serve until killed."""
    sandbox = load(Path(folder))
    Front.endpoints = endpoints_file(sandbox.folder)
    FrontServer(("127.0.0.1", sandbox.ports["backend"]), Front).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
