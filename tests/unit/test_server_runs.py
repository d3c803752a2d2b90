"""A server that does not take a command's run is told, and the command goes on."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.exceptions import TerminationSignal

from deployments.flow_runs import FlowRuns
from deployments.place import Place
from recovery.cli import server_runs
from recovery.cli.server_runs import Server, leave_in_time, use_server
from recovery.server_address import MARK_HEADER, ServerAddress
from tests.unit.build import settings

MARK = "of-this-start"


class Refusal(BaseHTTPRequestHandler):
    """Answers everything with 503, as Prefect does when its database is locked."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header(MARK_HEADER, MARK)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Server(FlowRuns(Place(tmp_path, "127.0.0.1", server.server_port, None, None, tmp_path), MARK))
        server.shutdown()


def runbook(kind: str = "incr") -> str:
    return f"took a {kind} backup"


runbook.run_name = lambda kind="incr": f"{kind} backup"  # type: ignore[attr-defined]
FLOW: Any = SimpleNamespace(name="backup", fn=runbook, serialize_parameters=dict)


def test_a_run_that_the_server_does_not_take_is_made_without_it(
    refusing: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusing.run(FLOW, kind="full") == "took a full backup"
    said = capsys.readouterr().err
    assert said.startswith("recover: the Prefect server did not take the run (HTTPStatusError: Server error '503 ")
    assert said.endswith("); this run goes on without it\n")
    assert said.count("\n") == 1


def test_the_server_of_another_site_gets_no_run_of_ours(refusing: Server, capsys: pytest.CaptureFixture[str]) -> None:
    other = Server(FlowRuns(refusing.flow_runs.place, "of-another-start"))
    assert other.run(FLOW) == "took a incr backup"
    assert "(TransportError: another server answers at http://127.0.0.1:" in capsys.readouterr().err


def test_a_run_that_is_stopped_from_outside_is_stopped_as_with_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Prefect's engine, whose server hangs: it was a traceback."""

    def end(*_: object) -> None:
        raise TerminationSignal(signal.SIGTERM)

    monkeypatch.setattr("deployments.command_runs.create_command_run", lambda *_: {"id": "1"})
    monkeypatch.setattr(server_runs, "_carry", end)
    with pytest.raises(KeyboardInterrupt):
        Server(FlowRuns(Place(Path("/"), "127.0.0.1", 1, None, None, Path("/")))).run(FLOW)


def test_a_password_that_is_none_costs_the_list_of_runs_and_not_the_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "recovery.server_address.answering_server", lambda *_, **__: ServerAddress("http://127.0.0.1:1", 1, "", "")
    )
    monkeypatch.setattr(server_runs, "_forget_prefect", lambda: None)  # these tests go on with theirs
    site: Any = SimpleNamespace(
        settings=settings(site={"state_dir": str(tmp_path)}), secrets=SimpleNamespace(reveal=lambda _: "no-colon-in-it")
    )
    assert use_server(site) is None
    said = "recover: the Prefect server cannot be used: server.api_password is not of the form user:password"
    assert capsys.readouterr().err == f"{said}; this run goes on without it\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is led astray")
def test_root_does_not_have_prefect_read_what_another_user_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect does what `prefect.toml`, a profile or `logging.yml` in its folder says: any code, as root."""
    made = settings()
    folder = tmp_path / "state" / "prefect"
    folder.mkdir(parents=True)
    os.chown(folder.parent, 4711, 4711)
    made = made.model_copy(update={"site": made.site.model_copy(update={"state_dir": folder.parent})})
    address = ServerAddress("http://127.0.0.1:1", 1, "", MARK)
    monkeypatch.setattr("recovery.server_address.answering_server", lambda *_, **__: address)
    monkeypatch.setattr(server_runs, "_enter", lambda *_: pytest.fail("Prefect was imported"))
    assert use_server(SimpleNamespace(settings=made)) is None  # type: ignore[arg-type]
    assert "this run goes on without it" in capsys.readouterr().err


def test_a_closed_output_does_not_stop_the_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    ended: list[object] = []
    monkeypatch.setattr(server_runs, "_used", [Server(FlowRuns(Place(Path("/"), "", 1, None, None, Path("/"))))])
    monkeypatch.setattr(
        server_runs.threading, "Timer", lambda *words: ended.append(words) or SimpleNamespace(start=int)
    )
    monkeypatch.setattr("sys.stdout", closed)
    leave_in_time(18)
    assert ended
