"""The long-running programs of `recover serve`: started apart from the terminal, ended when we end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import SettingsInvalid

_LAST_BYTES = 1500


@dataclass(frozen=True)
class Child:
    """One program that runs beside us, and the file that holds what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM

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

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _LAST_BYTES))
            return file.read().decode(errors="replace").strip()


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
    return Child(name, process, log, stop_signal)


def dies_with_us(signal_name: str) -> list[str]:
    """The words before a command that have the kernel end it when this process is killed."""
    return ["setpriv", "--pdeathsig", signal_name, "--"]


def wait_until(condition: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(pause)
    return condition()
