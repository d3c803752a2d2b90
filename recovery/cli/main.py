"""From the first moment of `recover …` to its exit status. Next to nothing is imported before it listens to Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

from recovery import stopping
from recovery.cli.streams import write_to_whoever_listens
from recovery.errors import Interrupted, RecoveryError
from recovery.waiting import wait_until

_NOTHING_BEGUN = "run the same command again; nothing was begun"
_ENDED = "it had ended by then; read what it said, or run the same command again"
_TYPERS_STOP = 130
_THREADS_SECONDS = 10.0  # what they wait for ends within seconds, or is the server that hangs


def main() -> None:
    """Run a command; every failure is one message and a stable exit status."""
    stopping.listen()
    write_to_whoever_listens()
    try:
        status = _status()
        stopping.listen_no_more()
    except KeyboardInterrupt as stop:  # it came in the moment before we listened no more
        stopping.listen_no_more()
        status = _late(stop)
    _leave(status)


def _late(stop: KeyboardInterrupt) -> int:
    """Say what the command came to, or that it was stopped; the exit status."""
    behind = stop.__context__
    error = behind if isinstance(behind, RecoveryError) else Interrupted(str(stop) or "stopped", _ENDED)
    _say(error)
    return error.exit_code


def _status() -> int | str | None:
    """Run it, say what went wrong, and return the exit status."""
    try:
        return _outcome()
    except RecoveryError as error:
        stopping.listen_no_more()
        _say(error)
        return error.exit_code
    except SystemExit as end:
        return end.code
    except BaseException:
        _farewell(1)
        raise


def _outcome() -> int:
    try:
        from recovery.cli.app import app

        app()
    except KeyboardInterrupt as stop:  # while it was imported
        raise Interrupted(str(stop) or "stopped", _NOTHING_BEGUN) from stop
    except SystemExit as end:
        if end.code == _TYPERS_STOP and stopping.asked():  # while it read the options
            raise Interrupted("stopped", _NOTHING_BEGUN) from end
        raise
    return 0


def _leave(status: int | str | None) -> NoReturn:
    number = status if isinstance(status, int) else int(status is not None)
    _farewell(number)
    if stopping.asked() and not wait_until(lambda: not _busy_threads(), _THREADS_SECONDS):
        _flush()
        os._exit(number)  # it was stopped: nobody waits for what they ask
    sys.exit(status)


def _farewell(status: int) -> None:
    if server_runs := sys.modules.get("recovery.cli.server_runs"):
        server_runs.leave_in_time(status)


def _busy_threads() -> list[threading.Thread]:
    """Those that Python would wait for."""
    return [one for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            stream.flush()


def _say(error: RecoveryError) -> None:
    if "--json" in sys.argv:
        answer: dict[str, Any] = {
            "error": type(error).__name__,
            "problem": error.problem,
            "next": error.next_step,
            "exit_code": error.exit_code,
        }
        print(json.dumps(answer))
    from recovery.redaction import printable  # what a server or a bucket said may be in it

    print(f"recover: {printable(str(error))}", file=sys.stderr)
