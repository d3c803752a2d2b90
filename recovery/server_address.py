"""Where this site's Prefect server answers, found without importing Prefect."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from recovery.lease import lease_holder
from recovery.ownership import replace_ours
from recovery.proxies import with_direct_way_to
from recovery.waiting import wait_until

LEASE = "serve"
# A header of every answer: with it a server proves that it is this start of this site's, and no other.
MARK_HEADER = "X-Recovery-Serve"
# One question. A busy machine takes seconds to answer; a dead server refuses at once.
_ANSWER_SECONDS = 10.0
# How long a command waits for a server whose process lives before it goes on without it: as long as that
# takes to start its web server again, and no longer, because somebody waits for a recovery.
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class ServerAddress:
    """A running `recover serve`: its user interface, its process, when it began, and the mark its answers carry."""

    url: str
    pid: int
    started_at: str
    mark: str = ""  # of a server that an older version started: its answers have none

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
        return None  # as good as no server: a command then works without, which it always can


def note_address(state_dir: Path, address: ServerAddress) -> None:
    """Let others find this server. The file appears whole or not at all."""
    replace_ours(address_file(state_dir), json.dumps(asdict(address)))


def running_server(state_dir: Path) -> ServerAddress | None:
    """The server of this site whose process lives, or None: the kernel says it, at once and for certain."""
    address = noted_address(state_dir)
    return address if address and address.pid == lease_holder(server_folder(state_dir), LEASE) else None


def answering_server(state_dir: Path, *, on_silence: Callable[[str], None]) -> ServerAddress | None:
    """This site's server, or None when none runs here, or it hangs: `on_silence` is told that.

    Waits: up to 20 s for a server that runs and does not answer.
    """
    address = running_server(state_dir)
    if address is None:
        return None
    if wait_until(lambda: answers(address.url, address.mark), PATIENCE_SECONDS, pause=0.2):
        return address
    on_silence(f"the Prefect server at {address.url} (process {address.pid}) does not answer")
    return None


def answers(url: str, mark: str) -> bool:
    """Whether the Prefect server with this mark is healthy there; another site's is none of ours.

    Asks without a password: health is open to all.
    """
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        return answer.status == 200 and answer.headers.get(MARK_HEADER, "") == mark
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def client_environment(shell: Mapping[str, str], state_dir: Path, url: str, password: str | None) -> dict[str, str]:
    """The shell's environment, in which Prefect's client speaks to this site's server and to no other.

    Nothing is left in it that is meant for the user's own Prefect.
    """
    kept = {name: value for name, value in shell.items() if not name.startswith("PREFECT_")}
    environment = with_direct_way_to(urlsplit(url).hostname or "", kept) | {
        "PREFECT_HOME": str(server_folder(state_dir) / "home"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_URL": f"{url}/v2",  # a link without it opens the old UI: docs/prefect-ui.md
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "8",  # a running flow outlives a server that is away for 90 s
        "PREFECT_API_REQUEST_TIMEOUT": "20",  # a server that hangs holds a run up that much less
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if password:
        environment["PREFECT_API_AUTH_STRING"] = password
    return environment
