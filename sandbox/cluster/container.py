"""A container: one local process, found again by a kubelet that was restarted."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from sandbox.processes import is_running, note_pid, noted_pid

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
UNKNOWN_EXIT = 137  # what a kubelet says of a container whose end it did not see


class Container:
    """A process, ours or one that an earlier kubelet started."""

    def __init__(self, pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
        self.pid, self._process = pid, process

    @classmethod
    def start(cls, argv: list[str], environment: dict[str, str], folder: Path, log: Path) -> Container:
        """Start one; it outlives us.

        Raises: OSError when there is no such program.
        """
        (folder / "port").unlink(missing_ok=True)
        with log.open("ab") as sink:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd="/",
                start_new_session=True,
                env=environment,
            )
        note_pid(folder / "pid", process.pid)
        return cls(process.pid, process)

    @classmethod
    def adopt(cls, folder: Path) -> Container | None:
        """The one whose pid stands in a pod's folder, if that very process still runs."""
        pid = noted_pid(folder / "pid")
        return cls(pid) if pid else None

    @property
    def is_adopted(self) -> bool:
        return self._process is None

    def ended(self) -> int | None:
        """Its exit code as a container's (137: killed), or None while it runs."""
        if self._process is None:
            return None if is_running(self.pid) else UNKNOWN_EXIT
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Send it, and all that it started, a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)

    def memory_bytes(self) -> int:
        """What it holds in memory."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def cpu_seconds(self) -> float:
        """What it has computed so far."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS
        except (OSError, IndexError):
            return 0.0


def port_of(folder: Path) -> int | None:
    """Where a pod's process listens, once it does."""
    try:
        return int((folder / "port").read_text())
    except (OSError, ValueError):
        return None
