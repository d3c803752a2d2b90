"""Whether a site's Prefect server is there: its process says it, not the speed of an answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deployments.children import Child, wait_until_ready
from recovery import server_address
from recovery.lease import hold_lease, lease_holder
from recovery.server_address import (
    LEASE,
    MARK_HEADER,
    ServerAddress,
    answering_server,
    answers,
    note_address,
    noted_address,
    running_server,
    server_folder,
)

WHEN = "2026-01-01T00:00:00+00:00"
MARK = "of-this-start"


@contextmanager
def health(*delays: float, mark: str = MARK) -> Iterator[str]:
    """A server with this mark whose answers take these seconds, one after the other; negative: it hangs up instead."""
    left = list(delays)
    free = threading.Event()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            delay = left.pop(0) if left else 0.0
            if delay >= 0:
                free.wait(delay)
                self.send_response(200)
                self.send_header(MARK_HEADER, mark)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            free.set()
            server.shutdown()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """The state_dir of a site whose `recover serve` is this process."""
    with hold_lease(server_folder(tmp_path), LEASE):
        yield tmp_path


def noted(state_dir: Path, url: str) -> None:
    holder = lease_holder(server_folder(state_dir), LEASE)
    assert holder
    note_address(state_dir, ServerAddress(url, holder, WHEN, MARK))


def never(said: str) -> None:
    raise AssertionError(said)


def test_an_answer_that_takes_a_second_is_an_answer(site: Path) -> None:
    with health(1.0) as url:
        noted(site, url)
        assert answers(url, MARK)
        assert answering_server(site, on_silence=never) == noted_address(site)


def test_a_server_that_hangs_up_once_is_asked_again(site: Path) -> None:
    with health(-1, -1) as url:
        noted(site, url)
        assert answering_server(site, on_silence=never) == noted_address(site)


def test_a_server_that_lives_and_never_answers_is_told_and_gone_without(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_address, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(server_address, "_ANSWER_SECONDS", 0.1)
    said: list[str] = []
    noted(site, "http://127.0.0.1:9")
    assert answering_server(site, on_silence=said.append) is None
    address = noted_address(site)
    assert address is not None
    assert said == [f"the Prefect server at http://127.0.0.1:9 (process {address.pid}) does not answer"]


def test_the_server_of_another_site_is_none_of_ours(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the port that ours had: a command would do this site's recovery under the other's name."""
    monkeypatch.setattr(server_address, "PATIENCE_SECONDS", 0.3)
    said: list[str] = []
    with health(mark="of-another-site") as url:
        noted(site, url)
        assert answering_server(site, on_silence=said.append) is None
    assert len(said) == 1


def test_a_note_that_a_killed_server_left_counts_for_nothing(tmp_path: Path) -> None:
    assert answering_server(tmp_path, on_silence=never) is None
    server_folder(tmp_path).mkdir()
    with health() as url:
        note_address(tmp_path, ServerAddress(url, 1, WHEN, MARK))
        address = noted_address(tmp_path)
        assert address is not None
        assert address.api == f"{url}/api"
        assert running_server(tmp_path) is None
        assert answering_server(tmp_path, on_silence=never) is None


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    """A program that lives on."""
    log = tmp_path / "log"
    log.touch()
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield Child("server", process, log)
        process.kill()


def test_a_part_that_was_ready_is_not_asked_again(child: Child) -> None:
    """A second question, a moment later, got no answer in time: about 1 in 15 starts failed by that."""
    answers = iter([False, True, False])
    assert wait_until_ready(child, lambda: next(answers), 60)


def test_a_part_that_ended_is_not_waited_for(child: Child) -> None:
    child.stop(0)
    assert not wait_until_ready(child, lambda: False, 60)
    assert not wait_until_ready(child, lambda: True, 60)  # it is somebody else who answers
    assert child.last_words() == f"it ended with status {child.process.returncode} and said: nothing"


def test_a_part_that_is_no_longer_wanted_is_not_waited_for(child: Child) -> None:
    assert not wait_until_ready(child, lambda: False, 60, given_up=lambda: True)
