"""Where everything of one sandbox is: its folder, its ports, its files."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from recovery.adapters.process import HERE, PROMPT_SECONDS
from recovery.environment import SANDBOX_MARK
from recovery.errors import GateRefused, SettingsInvalid
from recovery.facts import DatabaseAddress
from recovery.ports import reserve_ports

PORT_NAMES = (
    "primary",
    "standby",
    "redis",
    "aws",
    "s3-east",
    "s3-west",
    "proxy-east",
    "proxy-west",
    "backend",
    "cluster",
    "pods-primary",
    "pods-redis",
)
REGIONS = {"east": "us-east-1", "west": "us-west-2"}
BUCKETS = {"east": "clickview-backups", "west": "clickview-backups-west"}
MARKER = SANDBOX_MARK
SERVER_USER = "postgres"

# What starts, stops or follows and is not there by then hangs; it takes a second or two on a quiet machine.
PATIENCE_SECONDS = 150.0

_LONGEST_SOCKET = 100


@dataclass(frozen=True)
class Sandbox:
    """One sandbox: all that is needed to find, watch, break and remove it."""

    folder: Path
    ports: dict[str, int]
    prefix: tuple[str, ...]
    bin_dir: Path
    transactions_per_second: float = 50.0
    database: str = "clickview"

    @property
    def state_file(self) -> Path:
        return self.folder / "sandbox.json"

    @property
    def settings_file(self) -> Path:
        return self.folder / "recovery.toml"

    @property
    def services_dir(self) -> Path:
        return self.folder / "services"

    @property
    def secrets_dir(self) -> Path:
        return self.folder / "secrets"

    @property
    def tls_dir(self) -> Path:
        return self.folder / "tls"

    @property
    def ca_file(self) -> Path:
        return self.tls_dir / "ca.pem"

    @property
    def state_dir(self) -> Path:
        """The site's state_dir: what the recovery system keeps."""
        return self.folder / "state"

    @property
    def notes_file(self) -> Path:
        """What was acknowledged to the writer."""
        return self.folder / "writer.jsonl"

    @property
    def faults_dir(self) -> Path:
        """What an undo needs to know."""
        return self.folder / "faults"

    def data_dir(self, server: str) -> Path:
        """The data directory of `primary` or `standby`."""
        return self.folder / server / "data"

    def socket_dir(self, server: str) -> Path:
        return self.folder / server / "socket"

    def log_file(self, server: str) -> Path:
        """The log of `primary` or `standby`, whoever starts it."""
        return self.folder / server / "log"

    def secret(self, name: str) -> str:
        """One generated password or key."""
        return (self.secrets_dir / name).read_text().strip()

    def address(
        self, *, server: str = "primary", user: str = "clickview", database: str | None = None
    ) -> DatabaseAddress:
        """How a role reaches a database of this sandbox over TCP: the application's, unless another is named."""
        return DatabaseAddress("127.0.0.1", self.ports[server], database or self.database, user, self.secret(user))

    def admin_address(self, server: str = "primary", database: str | None = None) -> DatabaseAddress:
        """How the superuser reaches a server."""
        return self.address(server=server, user="postgres", database=database)

    def save(self) -> None:
        """Have it on disk before anything is started, so that `down` finds what `up` left."""
        values = {**asdict(self), "folder": str(self.folder), "bin_dir": str(self.bin_dir)}
        beside = self.state_file.with_suffix(".new")
        beside.write_text(json.dumps(values, indent=1))
        beside.replace(self.state_file)


def default_folder() -> Path:
    """The usual folder. Root's home is closed to the servers' user, so root's sandbox is elsewhere."""
    if os.geteuid() == 0:
        return Path("/var/lib/clickview-sandbox")
    return Path.home() / ".clickview-sandbox"


def load(folder: Path | None = None) -> Sandbox:
    """The sandbox of a folder.

    Raises: SettingsInvalid when there is none.
    """
    folder = (folder or default_folder()).resolve()
    try:
        values = json.loads((folder / "sandbox.json").read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SettingsInvalid(f"there is no sandbox in {folder}", "start one: recover sandbox up") from error
    except (OSError, ValueError) as error:
        raise SettingsInvalid(
            f"{folder}/sandbox.json cannot be read", "remove the rest: recover sandbox down"
        ) from error
    return Sandbox(
        folder=folder,
        ports=values["ports"],
        prefix=tuple(values["prefix"]),
        bin_dir=Path(values["bin_dir"]),
        transactions_per_second=values["transactions_per_second"],
        database=values.get("database", "clickview"),
    )


def plan_sandbox(folder: Path, *, transactions_per_second: float = 50.0, database: str = "clickview") -> Sandbox:
    """Choose ports, the servers' user and the programs for a new sandbox, and make its folder; nothing is started.

    Raises: GateRefused when the folder can't be used, SettingsInvalid when a program is missing.
    """
    if not find_spec("moto") or not find_spec("cheroot"):
        raise SettingsInvalid(
            "the sandbox's S3 server is not installed", "install the extra: uv tool install '.[sandbox]', or make setup"
        )
    folder = folder.resolve()
    refusal = folder_refusal(folder)
    if refusal:
        raise GateRefused(refusal, "choose another folder with --dir, or remove this one: recover sandbox down")
    prefix, bin_dir = server_prefix(), find_bin_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # ports are kept for a folder that is there
    return Sandbox(folder, reserve_ports(folder, PORT_NAMES), prefix, bin_dir, transactions_per_second, database)


def folder_refusal(folder: Path) -> str | None:
    """Why no sandbox can be made in this folder, or None."""
    if (folder / "sandbox.json").exists():
        return f"there is a sandbox in {folder} already"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return f"{folder} is not an empty folder"
    longest = len(str(folder / "primary" / "socket" / ".s.PGSQL.65535"))
    if longest > _LONGEST_SOCKET:
        return f"{folder} is too long a path: a Unix socket in it would take {longest} of {_LONGEST_SOCKET} characters"
    return None


def server_prefix() -> tuple[str, ...]:
    """How the servers are started: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    try:
        user = pwd.getpwnam(SERVER_USER)
    except KeyError as error:
        raise SettingsInvalid(
            f"there is no user {SERVER_USER}, and PostgreSQL refuses to run as root",
            "install PostgreSQL from the distribution, or run this as an ordinary user",
        ) from error
    return ("setpriv", f"--reuid={user.pw_name}", f"--regid={user.pw_gid}", "--clear-groups", "--")


def find_bin_dir() -> Path:
    """The directory of PostgreSQL's server programs.

    Raises: SettingsInvalid when they are not installed.
    """
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    if config := shutil.which("pg_config"):
        told = HERE.run([config, "--bindir"], timeout_seconds=PROMPT_SECONDS, check=False)
        if (bin_dir := Path(told.stdout.strip())).joinpath("pg_ctl").exists():
            return bin_dir
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    raise SettingsInvalid("PostgreSQL's server programs are not installed", "apt-get install postgresql")
