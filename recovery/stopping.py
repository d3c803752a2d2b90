"""Ctrl-C, SIGTERM and a closed terminal: heard once, at a moment when what was begun can be cleared away."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

_STOPS = (signal.SIGINT, signal.SIGTERM)
_LATER = b"recover: this must not stay half done; it stops right after\n"
_OVER = b"recover: all is done; it ends by itself\n"
_CLEARING = b"recover: clearing away what was begun; it ends by itself\n"


class Stopped(KeyboardInterrupt):
    """Somebody stops this process. What is not caught by `except Exception` clears away and passes it on."""

    def __init__(self, number: int) -> None:
        self.signal_name = signal.Signals(number).name
        super().__init__(f"stopped by {'Ctrl-C' if number == signal.SIGINT else self.signal_name}")


@dataclass
class _Hearing:
    """What this process heard. Signals are heard in the main thread alone."""

    count: int = 0
    held: int = 0
    pending: int = 0
    listens: bool = False
    over: bool = False
    on_its_way: Callable[[], BaseException | None] = lambda: None


_hearing = _Hearing()


def forget() -> None:
    """As if nothing had been heard."""
    global _hearing
    _hearing = _Hearing()


def listen() -> None:
    """From now on SIGINT and SIGTERM raise Stopped. What the shell has us ignore (`nohup`, `&`) stays ignored."""
    forget()
    _hearing.listens = bool(_install(_hear))


def listen_no_more() -> None:
    """From now on they do nothing: all is done and said, and this process ends by itself."""
    _install(signal.SIG_IGN)
    _hearing.listens = False


@contextmanager
def listening_again() -> Iterator[None]:
    """In here it is us who hear again, where a library (Prefect) put its own handler in; not in a process of that library's."""
    before = _install(_hear) if _hearing.listens else {}
    try:
        yield
    finally:
        _restore(before)


def finishing() -> AbstractContextManager[None]:
    """Let what is done in here come to its end: a stop that comes meanwhile is raised right after it."""
    return _held(_raise)


def too_late() -> AbstractContextManager[None]:
    """All is done but for some words: a stop that comes in here has nothing left to stop, nor may it hide an error."""
    return _held(lambda _number: None)


@contextmanager
def _held(heard: Callable[[int], None]) -> Iterator[None]:
    """Hold a stop that comes in here back; `heard` is told of it at the end of the outermost such block."""
    if not _in_main_thread():  # no stop is raised there
        yield
        return
    _hearing.held += 1
    try:
        yield
    finally:
        _hearing.held -= 1
        if not _hearing.held:
            number, _hearing.pending = _hearing.pending, 0
            if number:
                heard(number)


def nothing_left_to_stop() -> None:
    """What was asked for is there, for good: from now on a stop comes too late, also one that is held."""
    _hearing.over, _hearing.pending = True, 0


def more_follows() -> None:
    """What was done was only a part of what was asked for: from now on a stop stops again."""
    _hearing.over = False


def asked() -> int:
    """How often this process was asked to stop."""
    return _hearing.count


def under_way() -> bool:
    """Whether a stop is on its way through this process: what other threads do is in vain."""
    return _hearing.on_its_way() is not None


@contextmanager
def outliving_the_terminal(tell: Callable[[], None]) -> Iterator[None]:
    """In here a closed terminal (SIGHUP) stops nothing; `tell` is called, and nothing is written to it any more."""

    def hung_up(_number: int, _frame: FrameType | None) -> None:
        let_go_of_terminal()
        tell()

    ours = _in_main_thread() and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGHUP, hung_up)
    try:
        yield
    finally:
        if ours and not _hearing.over:  # else some words are left to say, and then it ends by itself
            signal.signal(signal.SIGHUP, signal.SIG_DFL)


def let_go_of_terminal() -> None:
    """Have what is written from now on go nowhere, where it would go to a terminal."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        with suppress(OSError):  # closed already
            if os.isatty(descriptor) or _is_dead_terminal(descriptor):
                os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _is_dead_terminal(descriptor: int) -> bool:
    """A terminal that hung up no longer says that it is one: a character device with no other name than a terminal's."""
    return os.readlink(f"/proc/self/fd/{descriptor}").startswith(("/dev/pts/", "/dev/tty"))


def _hear(number: int, _frame: FrameType | None) -> None:
    _hearing.count += 1
    if _hearing.on_its_way() is not None:
        gc.collect()  # one that was lost (raised in a destructor, dropped by a library) must not hold back the next
    if _hearing.on_its_way() is not None:
        _say(_CLEARING)
    elif _hearing.over:
        _say(_OVER)
    elif _hearing.held:
        _hearing.pending = number
        _say(_LATER)
    else:
        _raise(number)


def _raise(number: int) -> None:
    stop = Stopped(number)
    _hearing.on_its_way = weakref.ref(stop)
    raise stop


def _say(line: bytes) -> None:
    """Past Python's own stream: it may be in the middle of a line."""
    with suppress(OSError):
        os.write(2, line)


def _install(hear: Any) -> dict[int, Any]:
    """Have this hear what is heard now; returns who heard it before."""
    if not _in_main_thread():
        return {}
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _STOPS}
    heard = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in heard:
        signal.signal(number, hear)
    return heard


def _restore(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
