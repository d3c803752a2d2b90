"""Where this site's Prefect server answers, found without importing Prefect."""

from __future__ import annotations

import http.client
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

_ANSWER_SECONDS = 0.3


@dataclass(frozen=True)
class ServerAddress:
    """A running `recover serve`: its user interface, its process and when it began."""

    url: str
    pid: int
    started_at: str

    @property
    def api(self) -> str:
        return f"{self.url}/api"


def server_folder(state_dir: Path) -> Path:
    """Where `recover serve` keeps everything of its own."""
    return state_dir / "prefect"


def address_file(state_dir: Path) -> Path:
    """The file that says where the server is; it is there while `recover serve` runs."""
    return server_folder(state_dir) / "server.json"


def noted_address(state_dir: Path) -> ServerAddress | None:
    """What the server of this site noted about itself, whether it still runs or not."""
    try:
        return ServerAddress(**json.loads(address_file(state_dir).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def note_address(state_dir: Path, address: ServerAddress) -> None:
    """Let others find this server. The file appears whole or not at all."""
    path = address_file(state_dir)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(asdict(address)))
    beside.replace(path)


def answering_server(state_dir: Path) -> str | None:
    """The URL of this site's server if it answers within a moment, else None."""
    address = noted_address(state_dir)
    return address.url if address and answers(address.url) else None


def answers(url: str) -> bool:
    """Whether a Prefect server is healthy there. Asks without a password: health is open to all."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def client_environment(state_dir: Path, url: str, password: str | None) -> dict[str, str]:
    """The environment in which Prefect's client speaks to this site's server and to no other."""
    environment = {
        "PREFECT_HOME": str(server_folder(state_dir) / "home"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_URL": f"{url}/v2",  # a link without it opens the old UI: docs/prefect-ui.md
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "8",  # a running flow outlives a server that is away for 90 s
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if password:
        environment["PREFECT_API_AUTH_STRING"] = password
    return environment
