"""Where the application and its writer find their database and their Redis: `application.env`.

It is what a ConfigMap is elsewhere: a failover points the application at another server by writing it.
"""

from __future__ import annotations

from pathlib import Path

from recovery.facts import DatabaseAddress
from sandbox.layout import Sandbox


def write_connections(sandbox: Sandbox) -> None:
    """Point the application at the primary."""
    values = {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": sandbox.ports["primary"],
        "DB_NAME": "clickview",
        "DB_USER": "clickview",
        "DB_PASSWORD_FILE": sandbox.secrets_dir / "clickview",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": sandbox.ports["redis"],
        "REDIS_PASSWORD_FILE": sandbox.secrets_dir / "redis",
    }
    file = sandbox.folder / "application.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def read_connections(sandbox: Sandbox) -> dict[str, str]:
    """The variables as they are now."""
    lines = (sandbox.folder / "application.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def database_address(sandbox: Sandbox) -> DatabaseAddress:
    """The application's database."""
    values = read_connections(sandbox)
    password = Path(values["DB_PASSWORD_FILE"]).read_text().strip()
    return DatabaseAddress(values["DB_HOST"], int(values["DB_PORT"]), values["DB_NAME"], values["DB_USER"], password)
