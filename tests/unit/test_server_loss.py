"""A Prefect server that fails or hangs in a run costs neither its result nor much time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from tasks import server_loss
from tasks.server_loss import patience, run_in_spite_of_the_server, server_is_lost
from tests.stops import listening
from tests.waiting import PATIENCE


class Refusal(Exception):
    """What the runbook itself says."""


@pytest.fixture(autouse=True)
def not_lost() -> Iterator[None]:
    server_loss._lost.clear()
    yield
    server_loss._lost.clear()


def run(fn: Callable[[], Any], engine: Callable[[Any], Any], seconds: float = PATIENCE) -> tuple[Any, list[str]]:
    """What comes of it when this engine runs it, and what was said."""
    said: list[str] = []
    flow = SimpleNamespace(fn=fn)
    with patience(seconds, said.append):
        return run_in_spite_of_the_server(flow, engine, fn), said


def hang(*_: Any) -> None:
    """As Prefect does on any trouble: it tells the server that, too."""
    try:
        time.sleep(PATIENCE)
    except BaseException:
        time.sleep(PATIENCE)
        raise


def runbook() -> str:
    time.sleep(1.5)  # longer than the server may take
    return "restored"


def test_a_server_that_does_its_part_is_not_noticed() -> None:
    assert run(runbook, lambda flow: flow.fn()) == ("restored", [])
    assert not server_is_lost()


def test_a_server_that_hangs_before_does_not_keep_it_from_beginning() -> None:
    assert run(runbook, hang, 0.1) == ("restored", ["the Prefect server is lost: it does not answer"])
    assert server_is_lost()


def test_a_server_that_hangs_after_it_does_not_hold_the_result_back() -> None:
    calls = []

    def engine(flow: Any) -> None:
        calls.append(flow.fn())
        hang()

    assert run(runbook, engine, 1.0) == ("restored", ["the Prefect server is lost: it does not answer"])
    assert calls == ["restored"]  # once


def test_what_the_runbook_says_counts_when_the_server_fails_too() -> None:
    def refuse() -> None:
        raise Refusal("no sound backup")

    def engine(flow: Any) -> None:
        try:
            flow.fn()
        except Refusal:
            raise ConnectionError from None

    with pytest.raises(Refusal, match="no sound backup"):
        run(refuse, engine)
    assert server_is_lost()
    server_loss._lost.clear()
    with pytest.raises(Refusal, match="no sound backup"):
        run(refuse, lambda flow: flow.fn())
    assert not server_is_lost()


def test_a_lost_server_is_not_asked_again() -> None:
    run(runbook, hang, 0.1)
    assert run(runbook, hang) == ("restored", [])


def test_who_stops_a_run_that_has_not_begun_does_not_get_it() -> None:
    """The server's silence came on top of Ctrl-C, and the restore began."""

    def engine(_flow: Any) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            hang()

    with pytest.raises(KeyboardInterrupt):
        run(lambda: pytest.fail("it ran"), engine, 0.1)


def test_a_stop_after_it_does_not_lose_the_result() -> None:
    def engine(flow: Any) -> None:
        flow.fn()
        raise KeyboardInterrupt

    assert run(runbook, engine) == ("restored", [])


def test_what_else_waits_for_the_alarm_has_it_while_the_runbook_runs() -> None:
    before = signal.getsignal(signal.SIGALRM)
    assert run(lambda: signal.getsignal(signal.SIGALRM), lambda flow: flow.fn()) == (before, [])


def test_a_run_that_is_called_has_the_same_patience_and_the_loss_is_told_once() -> None:
    """It held the recovery back for two minutes, by the client's own deadline and retries."""

    def called() -> str:
        return str(run_in_spite_of_the_server(SimpleNamespace(fn=runbook), hang, runbook))

    def engine(flow: Any) -> None:
        flow.fn()
        hang()

    begin = time.monotonic()
    assert run(called, engine, 5.0) == ("restored", ["the Prefect server is lost: it does not answer"])
    assert time.monotonic() - begin < PATIENCE  # not twice `hang`


def test_a_time_out_is_no_stop() -> None:
    """A time-out of asynchronous code has a CancelledError behind it; the restore in a restore test was left out."""

    def engine(_flow: Any) -> None:
        try:
            raise asyncio.CancelledError
        except asyncio.CancelledError:
            raise TimeoutError from None

    def other(_flow: Any) -> None:
        try:
            raise asyncio.CancelledError
        except asyncio.CancelledError as cancelled:
            raise TimeoutError from cancelled

    def bare(_flow: Any) -> None:
        raise asyncio.CancelledError

    for one, name in ((engine, "TimeoutError"), (other, "TimeoutError"), (bare, "CancelledError")):
        assert run(runbook, one) == ("restored", [f"the Prefect server is lost: {name}"])
        server_loss._lost.clear()


@pytest.mark.parametrize("outcome", ["restored", "no sound backup"])
def test_a_stop_at_the_end_of_a_run_that_is_called_stops_its_caller(
    monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """It was dropped, and the restore of the next repository began."""
    monkeypatch.setattr(server_loss, "in_flow_run", lambda: True)

    def called() -> str:
        if outcome != "restored":
            raise Refusal(outcome)
        return outcome

    def engine(flow: Any) -> None:
        try:
            flow.fn()
        finally:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(called, engine)


@pytest.mark.parametrize(("called", "outcome"), [(True, "stopped"), (False, "restored")])
def test_a_stop_that_prefect_drops_stops_what_called_it(
    monkeypatch: pytest.MonkeyPatch, called: bool, outcome: str
) -> None:
    """Prefect only logs one that comes after the runbook's own end."""
    monkeypatch.setattr(server_loss, "in_flow_run", lambda: called)

    def engine(flow: Any) -> Any:
        came_to = flow.fn()
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return came_to

    try:
        with listening():
            found, said = run(runbook, engine)
    except KeyboardInterrupt:
        found, said = "stopped", []
    assert (found, said) == (outcome, [])
