"""A server that does not take a command's run is told, and the command goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployments.flow_runs import FlowRuns
from deployments.place import Place
from recovery.cli.server_runs import Server


class Refusal(BaseHTTPRequestHandler):
    """Answers everything with 503, as Prefect does when its database is locked."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Server(FlowRuns(Place(tmp_path, "127.0.0.1", server.server_port, None, None, tmp_path)))
        server.shutdown()


def runbook(kind: str = "incr") -> str:
    return f"took a {kind} backup"


runbook.run_name = lambda kind="incr": f"{kind} backup"  # type: ignore[attr-defined]


def test_a_run_that_the_server_does_not_take_is_made_without_it(
    refusing: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    flow: Any = SimpleNamespace(name="backup", fn=runbook, serialize_parameters=dict)
    assert refusing.run(flow, kind="full") == "took a full backup"
    said = capsys.readouterr().err
    assert said.startswith("recover: the Prefect server did not take the run (HTTPStatusError: Server error '503 ")
    assert said.endswith("); this run goes on without it\n")
    assert said.count("\n") == 1
