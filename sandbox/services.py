"""The services of a sandbox: how each is started, whether it runs.

Every service has a folder `services/NAME` with `service.json` (how it is started), its log, and a
pid file whose first line is the pid (PostgreSQL's own postmaster.pid has the same shape).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recovery.errors import TargetUnreachable
from sandbox import processes
from sandbox.layout import MARKER, PATIENCE_SECONDS, Sandbox


@dataclass(frozen=True)
class Service:
    """One long-lived process."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    pid_file: Path
    data_dir: Path | None = None
    directory: Path | None = None  # where it works and is found, whoever started it
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
    directory: Path | None = None,
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
        directory=directory,
        stop_signal=signal.SIGINT if data_dir else signal.SIGTERM,
        environment={MARKER: str(sandbox.folder), **(environment or {})},
    )
    (folder / "service.json").write_text(json.dumps(asdict(service), indent=1, default=str))
    return service


def find(sandbox: Sandbox, name: str) -> Service:
    """A service that was described before."""
    values = json.loads((sandbox.services_dir / name / "service.json").read_text())
    places = {name: Path(values[name]) for name in ("folder", "pid_file", "data_dir", "directory") if values.get(name)}
    return Service(**{**values, **places, "argv": tuple(values["argv"])})


def names(sandbox: Sandbox) -> list[str]:
    """The services that were described so far."""
    return sorted(path.parent.name for path in sandbox.services_dir.glob("*/service.json"))


def start(service: Service) -> int:
    """Start a service; it outlives us. Returns its pid."""
    pid = processes.spawn(service.argv, service.log_file, service.environment)
    if not service.data_dir:
        processes.note_pid(service.pid_file, pid)
    return pid


def launch(sandbox: Sandbox, argv: Iterable[str | Path]) -> None:
    """Start a program that itself starts services and ends."""
    processes.spawn(argv, sandbox.services_dir / "launch.log", {MARKER: str(sandbox.folder)})


def running_pid(service: Service) -> int | None:
    """The pid of a service, or None when it doesn't run; what recovery started counts as well."""
    if service.directory:
        return processes.server_in(service.directory)
    if not service.data_dir:
        return processes.noted_pid(service.pid_file)
    try:
        pid = int(service.pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if processes.works_in(pid) == str(service.data_dir) and processes.is_running(pid) else None


def stop(service: Service, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Stop a service; one that doesn't run is left alone.

    Raises: TargetUnreachable when it is still there at the deadline.
    """
    pid = running_pid(service)
    if pid and processes.end({pid}, service.stop_signal, seconds=seconds):
        raise TargetUnreachable(f"{service.name} did not stop in {seconds:.0f} s", f"see {service.log_file}")
