"""A Prefect server that fails in the middle of a run: what the runbook itself came to counts.

Prefect's engine tells the server how a run begins and ends, in the thread of the run. A server that is
gone or hangs makes that an error, or a long wait: neither may cost the result, or hold it back.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import Any

from recovery import stopping
from tasks.step import in_flow_run, warn

_AGAIN_SECONDS = 0.5
_LOST_SECONDS = 1.0  # what is lost needs no more patience
# These end waits inside a client: so does every time-out of an answer.
_OF_ASYNC_CODE = (asyncio.CancelledError, GeneratorExit)

_lost = threading.Event()


@dataclass(frozen=True)
class Patience:
    """How long a server may keep a run waiting before it begins, and again after it has ended; who is told of its loss."""

    seconds: float  # 0: each request has the client's own deadline and retries
    on_loss: Callable[[str], None]


_WORKERS_OWN = Patience(0.0, warn)
_patience = ContextVar("patience", default=_WORKERS_OWN)


@contextmanager
def patience(seconds: float, on_loss: Callable[[str], None]) -> Iterator[None]:
    """This patience for the runs in here, and for those that they call."""
    token = _patience.set(Patience(seconds, on_loss))
    try:
        yield
    finally:
        _patience.reset(token)


def run_in_spite_of_the_server(flow: Any, run: Callable[[Any], Any], fn: Callable[[], Any]) -> Any:
    """Run a flow by `run`, seen in the server as long as that plays its part, with the patience that we have.

    `fn` is the runbook itself, called when the server did not even let it begin. Raises: what the runbook raises.
    """
    if _lost.is_set():
        return fn()
    came_to: list[Any] = []
    failed_by: list[BaseException] = []
    called, deadline, heard = in_flow_run(), _Deadline(_patience.get().seconds), [stopping.asked()]

    @functools.wraps(flow.fn)
    def noted(*args: Any, **kwargs: Any) -> Any:
        deadline.clear()
        try:
            with stopping.listening_again():
                came_to.append(flow.fn(*args, **kwargs))
        except BaseException as error:
            failed_by.append(error)
            raise
        finally:
            heard[0] = stopping.asked()
            deadline.set()
        return came_to[0]

    watched = copy.copy(flow)
    watched.fn = noted
    deadline.set()
    returned: list[Any] = []
    try:
        try:
            returned.append(run(watched))
        finally:
            deadline.clear()
    except BaseException as error:  # noqa: BLE001 - judged below, each kind by what the runbook came to
        deadline.clear()
        if error not in failed_by:
            _judge(error, stoppable=called or not (came_to or failed_by))
    if called and (came_to or failed_by) and stopping.asked() > heard[0]:
        raise stopping.Stopped(signal.SIGINT)  # Prefect writes of one in its log, and drops it
    if failed_by:
        raise failed_by[0]
    found = came_to or returned
    return found[0] if found else fn()


def _judge(error: BaseException, *, stoppable: bool) -> None:
    """An error of the engine's, not of the runbook's: a stop is raised, else the server is lost.

    Who stops a run that has not begun does not get it, nor what comes after one that is called and has ended.
    """
    if stoppable and (stop := _stop_behind(error)):
        raise stop from None
    if isinstance(error, (Exception, _TooLong, *_OF_ASYNC_CODE)):
        _lose("it does not answer" if isinstance(error, _TooLong) else type(error).__name__)


def _lose(why: str) -> None:
    """Ask the server nothing more, and say so once, though what called this run has to do without it, too."""
    if not _lost.is_set():
        _lost.set()
        _patience.get().on_loss(f"the Prefect server is lost: {why}")


def _stop_behind(error: BaseException | None) -> BaseException | None:
    """What stopped the run, also when the server's silence came on top of it: Ctrl-C, SIGTERM, a refusal of Prefect's."""
    while error is not None:
        if not isinstance(error, (Exception, _TooLong, *_OF_ASYNC_CODE)):
            return error
        error = error.__cause__ or error.__context__
    return None


def server_is_lost() -> bool:
    """Whether the server failed a run of this process: it is not asked again."""
    return _lost.is_set()


class _TooLong(BaseException):
    """The server keeps us waiting. Not an Exception: Prefect would ask the server to note that one."""


class _Deadline:
    """Ends whatever the main thread waits for, again and again until it is called off."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds if threading.current_thread() is threading.main_thread() else 0.0
        self._runs = False
        self._handler: Any = signal.SIG_DFL

    def set(self) -> None:
        if self._seconds:
            handler = signal.signal(signal.SIGALRM, self._ring)
            self._handler = self._handler if handler == self._ring else handler
            self._runs = True
            seconds = min(self._seconds, _LOST_SECONDS) if _lost.is_set() else self._seconds
            signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)

    def clear(self) -> None:
        if self._seconds:
            self._runs = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler)  # Prefect's own back-stop needs it while the runbook runs

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._runs:
            raise _TooLong
