"""Processes: started detached, found again, and ended without ever killing a stranger."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from recovery.adapters.process import HERE, PROMPT_SECONDS
from recovery.environment import our_environment
from recovery.waiting import wait_until
from sandbox.layout import MARKER

# Debian starts redis-server through a link to redis-check-rdb.
_SERVERS = ("postgres", "pgbackrest", "redis-server", "redis-check-rdb")
# What a killed `up` may leave at work for a moment.
_MAKERS = ("setpriv", "initdb", "pg_basebackup", "pg_ctl")
_started: list[subprocess.Popen[bytes]] = []


def spawn(argv: Iterable[str | Path], log_file: Path, environment: Mapping[str, str]) -> int:
    """Start a program in a session of its own; it outlives us. Returns its pid."""
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            env=our_environment(environment),
        )
    _started.append(process)  # reaped when it ends, so that it never looks alive as a zombie
    return process.pid


def note_pid(pid_file: Path, pid: int) -> None:
    """Write a pid with the moment its process began: a pid alone may be another's tomorrow."""
    pid_file.write_text(f"{pid}\n{_began(pid) or ''}\n")


def noted_pid(pid_file: Path) -> int | None:
    """The pid of a pid file, if that very process still runs."""
    try:
        pid, began = pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _began(int(pid)) == began and is_running(int(pid)) else None


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    for process in _started[:]:
        if process.poll() is not None:
            with contextlib.suppress(ValueError):  # another thread was faster
                _started.remove(process)
    return _state(pid) not in (None, "Z", "X")


def is_stopped(pid: int) -> bool:
    """Whether a process is frozen by SIGSTOP."""
    return _state(pid) == "T"


def all_pids(folder: Path) -> set[int]:
    """Every process of a sandbox, also those whose pid file was never written.

    Ours are the processes of the pid files, those that carry the sandbox's mark in their environment,
    and servers that work on its files. A shell that merely stands in the folder is not ours.
    """
    everybody = {int(entry) for entry in os.listdir("/proc") if entry.isdigit()} - {os.getpid()}
    noted = {noted_pid(file) for file in folder.glob("services/*/pid")}
    return {pid for pid in everybody if is_running(pid) and (pid in noted or _belongs(pid, folder))}


def data_dir_pids(data_dir: Path) -> set[int]:
    """Every PostgreSQL process of a data directory, also without a living postmaster."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return {pid for pid in pids if works_in(pid) == str(data_dir) and _program(pid) == "postgres"}


def server_in(directory: Path) -> int | None:
    """The server that works in a directory, and not one of the children that write its files."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    found = {pid for pid in pids if works_in(pid) == str(directory) and _program(pid) in _SERVERS and is_running(pid)}
    return next((pid for pid in sorted(found) if _parent(pid) not in found), None)


def works_in(pid: int) -> str | None:
    """The working directory of a process, also when it was removed."""
    return _link(pid, "cwd")


def end(pids: set[int], number: int, *, seconds: float) -> set[int]:
    """Send a signal to processes and wait for their end; returns those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # a frozen process doesn't hear anything else
        except ProcessLookupError:
            continue
    left = set(pids)

    def gone() -> bool:
        left.intersection_update({pid for pid in left if is_running(pid)})
        return not left

    wait_until(gone, seconds, pause=0.02)
    return left


def free_shared_memory(pid_file: Path) -> None:
    """Give back the segment that a killed postmaster left, if nobody is attached to it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        key, identifier = pid_file.read_text().splitlines()[6].split()
        for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[:2] == [key, identifier] and fields[6] == "0":
                HERE.run(["ipcrm", "-m", identifier], timeout_seconds=PROMPT_SECONDS, check=False)


def _belongs(pid: int, folder: Path) -> bool:
    mark = f"{MARKER}={folder}".encode()
    if mark in _read(pid, "environ").split(b"\0"):
        return True
    if _program(pid) not in _SERVERS + _MAKERS:
        return False
    inside = f"{folder}/"
    return (works_in(pid) or "").startswith(inside) or inside.encode() in _read(pid, "cmdline")


def _program(pid: int) -> str:
    return Path(_link(pid, "exe") or "").name


def _state(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[0] if fields else None


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if len(fields) > 1 else None


def _began(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else None


def _stat(pid: int) -> list[str]:
    # The name in brackets may contain anything; what follows it is regular.
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _link(pid: int, name: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/{name}").removesuffix(" (deleted)")
    except OSError:
        return None
