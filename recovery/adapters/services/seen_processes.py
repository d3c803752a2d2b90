"""Processes on a host, found by the directory that they work in: a pid file may name a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recovery.adapters.files import says_absent
from recovery.adapters.process import PROMPT_SECONDS, Completed, Host, failed

_TICKS_PER_SECOND = 100  # what Linux tells programs in, on every machine


@dataclass(frozen=True)
class SeenProcess:
    """One process."""

    pid: int
    parent: int
    name: str
    state: str  # of /proc/PID/stat: R, S, D, Z, T …
    ticks: int  # when it began, since the machine did

    @property
    def frozen(self) -> bool:
        return self.state in ("T", "t")


def working_in(host: Host, directory: Path) -> tuple[SeenProcess, ...]:
    """The processes that work in this very directory, also through a link; other users' only when root looks.

    Raises: CommandFailed when that cannot be seen.
    """
    # The directory itself is compared, not its path: a container's process has the same path, elsewhere.
    argv: list[str | Path] = [
        "find",
        "-L",
        "/proc",
        "-mindepth",
        "2",
        "-maxdepth",
        "2",
        "-name",
        "cwd",
        "-samefile",
        directory,
    ]
    told = host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
    if told.status and not _only_passed_over(told):
        raise failed(argv, told)
    pids = [word for line in told.stdout.splitlines() if (word := line.split("/")[2]).isdigit()]
    return tuple(seen for pid in pids if (seen := see(host, int(pid))))


def see(host: Host, pid: int) -> SeenProcess | None:
    """A process by its pid; None when there is none."""
    argv = ["cat", f"/proc/{pid}/stat"]
    told = host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
    if told.status:
        # One that ends while it is read is none any more.
        if says_absent(told.stderr, "cat") or "No such process" in told.stderr:
            return None
        raise failed(argv, told)
    # The name in brackets may contain anything; what follows it is regular.
    begin, _, rest = told.stdout.rpartition(")")
    fields = rest.split()
    return SeenProcess(pid, int(fields[1]), begin.partition("(")[2], fields[0], int(fields[19]))


def started_at(host: Host, process: SeenProcess) -> datetime | None:
    """When a process began, by the clock of its machine."""
    told = host.run(["grep", "^btime", "/proc/stat"], timeout_seconds=PROMPT_SECONDS, check=False)
    words = told.stdout.split()
    if len(words) != 2:
        return None
    return datetime.fromtimestamp(int(words[1]) + process.ticks // _TICKS_PER_SECOND, UTC)


def signal_process(host: Host, pid: int, names: Sequence[str]) -> None:
    """Send signals to a process that was just seen; one that has ended meanwhile needs none."""
    for name in names:
        argv = ["kill", "-s", name, str(pid)]
        told = host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
        if told.status and "No such process" not in told.stderr:
            raise failed(argv, told)


def _only_passed_over(told: Completed) -> bool:
    """Whether find complains only of other users' processes and of those that ended meanwhile."""
    lines = [line for line in told.stderr.splitlines() if line]
    ends = (": Permission denied", ": No such file or directory", ": No such process")
    return all("/proc/" in line and line.endswith(ends) for line in lines)
