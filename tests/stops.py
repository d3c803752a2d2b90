"""Signals in a test's own process: heard as in a command, and afterwards as before."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from recovery import stopping

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def hearing_restored() -> Iterator[None]:
    """Whatever listens to signals in here, afterwards it is who listened before, and nothing was heard."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stopping.forget()


@contextmanager
def as_at_a_terminal() -> Iterator[None]:
    """As with a person before it: `nohup` leaves SIGHUP ignored, a shell SIGINT in what it starts in the background."""
    with hearing_restored():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        yield


@contextmanager
def listening() -> Iterator[None]:
    """As in a command that somebody typed."""
    with as_at_a_terminal():
        stopping.listen()
        yield
