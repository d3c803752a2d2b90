"""Where `recover serve` keeps its things, and the environment its programs get."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from recovery.environment import our_environment
from recovery.errors import SettingsInvalid
from recovery.ownership import make_folder, make_state_folder
from recovery.server_address import client_environment, server_folder
from recovery.settings import Settings
from recovery.settings.load import settings_environment

WORK_POOL = "recovery"


@dataclass(frozen=True)
class Place:
    """One site's Prefect server: folders, address, password. Nothing of the user's own ~/.prefect is touched."""

    state_dir: Path
    host: str
    port: int
    password: str | None
    run_as: str | None
    bin_dir: Path

    @property
    def folder(self) -> Path:
        return server_folder(self.state_dir)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log_dir(self) -> Path:
        return self.folder / "log"

    @property
    def url(self) -> str:
        """The address that people and programs on this machine use."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def make_folders(self) -> None:
        """Make the folders; others may pass through (PostgreSQL runs as another user) but not look in."""
        make_state_folder(self.state_dir)
        for folder in (self.folder, self.home, self.log_dir):
            make_folder(folder, mode=0o711)


def place_of(settings: Settings, password: str | None) -> Place:
    """Where the server of this site stands.

    Raises: SettingsInvalid when others could reach a server that asks nobody for a password.
    """
    server = settings.server
    if not _is_loopback(server.host) and not password:
        raise SettingsInvalid(
            f"server.host is {server.host}: whoever reaches it could start a restore without a password",
            "set api_password in [server], or leave host at 127.0.0.1 and use an ssh tunnel",
        )
    if password and not all(password.partition(":")):
        raise SettingsInvalid("server.api_password is not of the form user:password", "give it a user and a colon")
    return Place(
        state_dir=settings.site.state_dir.absolute(),
        host=server.host,
        port=server.port,
        password=password,
        run_as=server.run_as,
        bin_dir=settings.database.bin_dir,
    )


def server_environment(place: Place, database_url: str) -> dict[str, str]:
    """The environment of the Prefect server."""
    environment = worker_environment(place) | {
        "PREFECT_API_DATABASE_CONNECTION_URL": database_url,
        "PREFECT_SERVER_API_HOST": place.host,
        "PREFECT_SERVER_API_PORT": str(place.port),
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # Without this any web page in the operator's browser could read and command this server.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": place.url,
        # In memory a restart of the server would free the slot of a restore that still runs.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT__SERVER_FINAL": "1",
    }
    if place.password:
        environment["PREFECT_SERVER_API_AUTH_STRING"] = place.password
    return environment


def worker_environment(place: Place) -> dict[str, str]:
    """The environment of the worker, handed on to every run it starts."""
    ours = our_environment(settings_environment())
    environment = client_environment(ours, place.state_dir, place.url, place.password)
    return environment | {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_ENABLE_CANCELLATION": "true"}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
