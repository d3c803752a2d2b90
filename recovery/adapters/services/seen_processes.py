"""Processes on a host, found by the directory that they work in: a pid file may name a stranger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recovery.adapters.files import says_absent
from recovery.adapters.process import PROMPT_SECONDS, Completed, Host, failed
from recovery.errors import SettingsInvalid

_PID = re.compile(r"/proc/(\d+)/cwd")
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


def working_in(host: Host, directory: Path, names: tuple[str, ...]) -> tuple[SeenProcess, ...]:
    """The processes whose names begin like this and that work in this very directory, also through a link.

    Raises: SettingsInvalid when one of the directory's owner may be among those that we must not look at;
    CommandFailed when nothing can be seen.
    """
    # The directory itself is compared, not its path: a container's process has the same path, elsewhere.
    argv: list[str | Path] = ["find", "-L", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cwd"]
    told = host.run([*argv, "-samefile", directory], timeout_seconds=PROMPT_SECONDS, check=False)
    if told.status and not _only_passed_over(told):
        raise failed(argv, told)
    found = [seen for pid in _PID.findall(told.stdout) if (seen := see(host, int(pid)))]
    ours = tuple(one for one in found if one.name.startswith(names))
    if not ours:
        _refuse_hidden(host, directory, names, _PID.findall(told.stderr))
    return ours


def _refuse_hidden(host: Host, directory: Path, names: tuple[str, ...], pids: Sequence[str]) -> None:
    if not pids:
        return
    argv: list[str | Path] = ["stat", "-L", "-c", "%u:%n", directory, *(f"/proc/{pid}" for pid in pids)]
    lines = host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False).stdout.splitlines()
    owner = lines[0].partition(":")[0]
    of_owner = [int(line.rpartition("/")[2]) for line in lines[1:] if line.partition(":")[0] == owner]
    for pid in of_owner:
        if (seen := see(host, pid)) and seen.state != "Z" and seen.name.startswith(names):
            raise SettingsInvalid(
                f"where process {pid} ({seen.name}) works cannot be seen: it belongs to the owner of {directory}",
                "run this as root or as that user: [services.prefixes]",
            )


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
