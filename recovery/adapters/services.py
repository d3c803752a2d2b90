"""Services by locator: what it takes to restart the database where it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from recovery.adapters.local_user import changes_user
from recovery.adapters.process import HERE, Host
from recovery.errors import SettingsInvalid
from recovery.settings import DatabaseSettings

_SECONDS = 120


class Service(Protocol):
    """Something that runs and can be restarted."""

    def restart(self) -> None:
        """Stop it in order and start it again."""


class Systemd:
    """A systemd unit: systemd:postgresql."""

    def __init__(self, host: Host, unit: str) -> None:
        # Root may restart a unit, and whom a prefix makes of root may not.
        self._host, self._unit = HERE if os.geteuid() == 0 and changes_user(host.prefix) else host, unit

    def restart(self) -> None:
        self._host.run(["systemctl", "restart", self._unit], timeout_seconds=_SECONDS)


class Docker:
    """A container: docker:clickview-db."""

    def __init__(self, host: Host, container: str) -> None:
        self._host, self._container = host, container

    def restart(self) -> None:
        self._host.run(["docker", "restart", self._container], timeout_seconds=_SECONDS)


class PostgresProcess:
    """A server started with pg_ctl: process:DATA_DIRECTORY."""

    def __init__(self, host: Host, bin_dir: Path, data_dir: Path, log_file: Path | None = None) -> None:
        self._host, self._bin_dir, self._data_dir = host, bin_dir, data_dir
        self._log_file = log_file or data_dir / "restart.log"

    def restart(self) -> None:
        argv: list[str | Path] = [self._bin_dir / "pg_ctl", "restart", "-w", "-m", "fast", "-D", self._data_dir]
        # Its log goes on where it was; pg_ctl would hold our pipes open without a file of its own.
        self._host.run([*argv, "-l", self._log_file], timeout_seconds=_SECONDS, outlives=True)


def locate_service(locator: str, host: Host, database: DatabaseSettings) -> Service:
    """The service of a locator such as systemd:postgresql.

    Raises: SettingsInvalid for a locator of an unknown kind.
    """
    kind, _, name = locator.partition(":")
    match kind:
        case "systemd" if name:
            return Systemd(host, name)
        case "docker" if name:
            return Docker(host, name)
        case "process" if name:
            return PostgresProcess(host, database.bin_dir, Path(name), database.log_file)
    raise SettingsInvalid(
        f"services.database: {locator!r} is not a service that can be restarted here",
        "write systemd:UNIT, docker:CONTAINER or process:DATA_DIRECTORY",
    )
