"""The long-running programs of `recover serve`: started apart from the terminal, ended when we end."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import SettingsInvalid
from recovery.waiting import wait_until

_LAST_BYTES = 3000


@dataclass(frozen=True)
class Child:
    """One program that runs beside us, and the file that holds what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    log_start: int = 0

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self, seconds: float) -> None:
        """End it: politely, and when that takes too long, not."""
        if not self.alive:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    def abort(self, seconds: float) -> None:
        """End it where it stands; a Python program then says in its log where that was (-X faulthandler)."""
        if self.alive:
            self.process.send_signal(signal.SIGABRT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.stop(0)

    def last_words(self) -> str:
        """How it stands, and the end of what it wrote to its log since it started; for an error message."""
        status = self.process.poll()
        state = "still runs" if status is None else f"ended with status {status}"
        with self.log.open("rb") as file:
            file.seek(max(self.log_start, self.log.stat().st_size - _LAST_BYTES))
            said = file.read().decode(errors="replace").strip()
        return f"it {state} and said: {said or 'nothing'}"


def start_child(
    name: str,
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Child:
    """Start a program in a session of its own, so that Ctrl-C reaches us alone and we choose the order.

    Must be called from the main thread: the death signal of the program is bound to the thread that starts it.
    """
    with log.open("ab") as out:
        log_start = out.tell()
        try:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise SettingsInvalid(f"{argv[0]} is not installed", f"install it; {name} cannot run without") from error
    return Child(name, process, log, stop_signal, log_start)


def wait_until_ready(
    child: Child, ready: Callable[[], bool], seconds: float, *, given_up: Callable[[], bool] = lambda: False
) -> bool:
    """Whether a program got ready before it ended, the deadline came, or the wait was given up."""

    def look() -> str:
        if not child.alive or given_up():
            return "over"
        return "ready" if ready() else ""

    return wait_until(look, seconds) == "ready"


def dies_with_us(signal_name: str) -> list[str]:
    """The words before a command that have the kernel end it when this process is killed."""
    return ["setpriv", "--pdeathsig", signal_name, "--"]
