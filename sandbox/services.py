"""The processes of a sandbox: started detached, found again, and ended without ever killing a stranger.

Every service has a folder `services/NAME` with `service.json` (how it is started), its log, and a
pid file whose first line is the pid (PostgreSQL's own postmaster.pid has the same shape).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recovery.errors import TargetUnreachable
from sandbox.layout import MARKER, Sandbox

# Debian starts redis-server through a link to redis-check-rdb.
_SERVERS = ("postgres", "pgbackrest", "redis-server", "redis-check-rdb")
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Service:
    """One long-lived process."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    pid_file: Path
    data_dir: Path | None = None
    stop_signal: int = signal.SIGTERM
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log_file(self) -> Path:
        return self.data_dir.parent / "log" if self.data_dir else self.folder / "log"


def describe(
    sandbox: Sandbox,
    name: str,
    argv: Iterable[str | Path],
    *,
    data_dir: Path | None = None,
    environment: dict[str, str] | None = None,
) -> Service:
    """Write down how a service is started, for `break --undo` and for the recovery system."""
    folder = sandbox.services_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    service = Service(
        name=name,
        argv=tuple(str(word) for word in argv),
        folder=folder,
        pid_file=data_dir / "postmaster.pid" if data_dir else folder / "pid",
        data_dir=data_dir,
        stop_signal=signal.SIGINT if data_dir else signal.SIGTERM,
        environment={MARKER: str(sandbox.folder), **(environment or {})},
    )
    (folder / "service.json").write_text(json.dumps(asdict(service), indent=1, default=str))
    return service


def find(sandbox: Sandbox, name: str) -> Service:
    """A service that was described before."""
    values = json.loads((sandbox.services_dir / name / "service.json").read_text())
    data_dir = values.pop("data_dir")
    return Service(
        **{**values, "argv": tuple(values["argv"]), "folder": Path(values["folder"])}
        | {"pid_file": Path(values["pid_file"]), "data_dir": Path(data_dir) if data_dir else None}
    )


def names(sandbox: Sandbox) -> list[str]:
    """The services that were described so far."""
    return sorted(path.parent.name for path in sandbox.services_dir.glob("*/service.json"))


def start(service: Service) -> int:
    """Start a service in a session of its own; it outlives us. Returns its pid."""
    with service.log_file.open("ab") as log:
        process = subprocess.Popen(
            service.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            env={**_clean_environment(), **service.environment},
        )
    _started.append(process)  # reaped when it ends, so that it never looks alive as a zombie
    if not service.data_dir:
        note_pid(service.pid_file, process.pid)
    return process.pid


def launch(sandbox: Sandbox, argv: Iterable[str | Path]) -> None:
    """Start a program that itself starts services and ends."""
    with (sandbox.services_dir / "launch.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            env={**_clean_environment(), MARKER: str(sandbox.folder)},
        )
    _started.append(process)


def note_pid(pid_file: Path, pid: int) -> None:
    """Write a pid with the moment its process began: a pid alone may be another's tomorrow."""
    pid_file.write_text(f"{pid}\n{_began(pid) or ''}\n")


def running_pid(service: Service) -> int | None:
    """The pid of a service, or None when it doesn't run."""
    if not service.data_dir:
        return _noted_pid(service.pid_file)
    try:
        pid = int(service.pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if _works_in(pid) == str(service.data_dir) and is_running(pid) else None


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    for process in _started[:]:
        if process.poll() is not None:
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
    noted = {_noted_pid(file) for file in folder.glob("services/*/pid")}
    return {pid for pid in everybody if is_running(pid) and (pid in noted or _belongs(pid, folder))}


def data_dir_pids(data_dir: Path) -> set[int]:
    """Every PostgreSQL process of a data directory, also without a living postmaster."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return {pid for pid in pids if _works_in(pid) == str(data_dir) and _program(pid) == "postgres"}


def end(pids: set[int], number: int, *, seconds: float) -> set[int]:
    """Send a signal to processes and wait for their end; returns those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # a frozen process doesn't hear anything else
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + seconds
    left = {pid for pid in pids if is_running(pid)}
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = {pid for pid in left if is_running(pid)}
    return left


def free_shared_memory(pid_file: Path) -> None:
    """Give back the segment that a killed postmaster left, if nobody is attached to it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        key, identifier = pid_file.read_text().splitlines()[6].split()
        for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[:2] == [key, identifier] and fields[6] == "0":
                subprocess.run(["ipcrm", "-m", identifier], timeout=10, check=False)


def stop(service: Service, *, seconds: float = 20) -> None:
    """Stop a service; one that doesn't run is left alone.

    Raises: TargetUnreachable when it is still there at the deadline.
    """
    pid = running_pid(service)
    if pid and end({pid}, service.stop_signal, seconds=seconds):
        raise TargetUnreachable(f"{service.name} did not stop in {seconds:.0f} s", f"see {service.log_file}")


def _clean_environment() -> dict[str, str]:
    # Settings and servers of the caller's shell must not reach the sandbox.
    from recovery.settings.model import ENVIRONMENT

    return {
        name: value
        for name, value in os.environ.items()
        if name not in ENVIRONMENT and not name.startswith(("PG", "AWS_", "RECOVERY_"))
    }


def _noted_pid(pid_file: Path) -> int | None:
    try:
        pid, began = pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _began(int(pid)) == began and is_running(int(pid)) else None


def _belongs(pid: int, folder: Path) -> bool:
    mark = f"{MARKER}={folder}".encode()
    if mark in _read(pid, "environ").split(b"\0"):
        return True
    if _program(pid) not in _SERVERS:
        return False
    inside = f"{folder}/"
    return (_works_in(pid) or "").startswith(inside) or inside.encode() in _read(pid, "cmdline")


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


def _works_in(pid: int) -> str | None:
    return _link(pid, "cwd")


def _program(pid: int) -> str:
    return Path(_link(pid, "exe") or "").name


def _stat(pid: int) -> list[str]:
    # The name in brackets may contain anything; what follows it is regular.
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _state(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[0] if fields else None


def _began(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else None
