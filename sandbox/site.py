"""Bring a sandbox up, say how it is, take it down."""

from __future__ import annotations

import socket
import urllib.error
from dataclasses import dataclass
from pathlib import Path

from recovery.adapters.application import open_url
from recovery.errors import SettingsInvalid, TargetUnreachable
from recovery.waiting import wait_until
from sandbox import processes, services
from sandbox.layout import PATIENCE_SECONDS, Sandbox, default_folder, plan_sandbox
from sandbox.removal import remove_everything
from sandbox.startup import Content, make_folder, recover, recover_environment, start_everything, start_service

_ANSWER_SECONDS = 10.0  # one question; who waits asks again

__all__ = [
    "ServiceState",
    "active_faults",
    "down",
    "health",
    "recover",
    "recover_environment",
    "start_service",
    "status",
    "up",
    "wait_until_healthy",
]


@dataclass(frozen=True)
class ServiceState:
    """One server of a sandbox as it is now."""

    name: str
    state: str
    pid: int | None
    port: int | None


def up(
    folder: Path | None = None,
    *,
    size: str = "10MB",
    prepare: bool = True,
    first_backup: bool = False,
    transactions_per_second: float = 50.0,
    strange_tables: int | None = None,
) -> Sandbox:
    """Bring up a whole site in an empty folder. When that fails nothing is left behind.

    `strange_tables`: its database is a strange one, with so many small tables.
    Raises: GateRefused, SettingsInvalid, TargetUnreachable, VerificationFailed.
    """
    from sandbox.fill import parse_size
    from sandbox.strange import DATABASE

    content = Content(parse_size(size), strange_tables)
    named = {} if strange_tables is None else {"database": DATABASE}
    sandbox = plan_sandbox(folder or default_folder(), transactions_per_second=transactions_per_second, **named)
    make_folder(sandbox)
    try:
        start_everything(sandbox, content, prepare, first_backup)
        wait_until_healthy(sandbox)
    except BaseException:
        down(sandbox.folder)
        raise
    return sandbox


def down(folder: Path | None = None) -> bool:
    """End every process of a sandbox and remove its folder; also what a killed `up` left.

    Returns whether there was one. Raises: SettingsInvalid when the folder is something else.
    """
    folder = (folder or default_folder()).resolve()
    if not folder.exists():
        return False
    left_by_up = {entry.name for entry in folder.iterdir()} <= {"sandbox.new"}
    if not left_by_up and not (folder / "sandbox.json").exists():
        raise SettingsInvalid(f"{folder} is not a sandbox; nothing was removed", "name its folder with --dir")
    remove_everything(folder)
    return True


def status(sandbox: Sandbox) -> list[ServiceState]:
    """Every server: does it run, does it answer."""
    return [_state(sandbox, name) for name in services.names(sandbox)]


def active_faults(sandbox: Sandbox) -> list[str]:
    """The faults that were made and not undone."""
    return sorted(file.stem for file in sandbox.faults_dir.glob("*.json"))


def wait_until_healthy(sandbox: Sandbox, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the application says that it works.

    Raises: TargetUnreachable at the deadline, with what it said.
    """
    said = wait_until(lambda: health(sandbox), seconds, so=lambda told: told == "healthy")
    if said != "healthy":
        raise TargetUnreachable(f"the application is not healthy: {said}", "recover sandbox status")


def health(sandbox: Sandbox) -> str:
    """`healthy`, or what the application's health check says instead."""
    url = f"http://127.0.0.1:{sandbox.ports['backend']}/health"
    try:
        with open_url(url, seconds=_ANSWER_SECONDS):
            return "healthy"
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError as error:
        return str(error)


def _state(sandbox: Sandbox, name: str) -> ServiceState:
    pid = services.running_pid(services.find(sandbox, name))
    port = sandbox.ports.get(name)
    if pid is None:
        state = "down"
    elif processes.is_stopped(pid):
        state = "frozen"
    else:
        state = "up" if port is None or _answers(port) else "no answer"
    return ServiceState(name, state, pid, port)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS):
            return True
    except OSError:
        return False
