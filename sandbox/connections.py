"""Where the application and its writer find their database and their Redis: `application.env`.

It is what the environment of a pod is elsewhere. The database is known by DATABASE_URL alone: a failover that changes
only DB_HOST, which stands beside it as in the real Secret, changes nothing.
"""

from __future__ import annotations

from urllib.parse import quote

from sandbox.layout import Sandbox


def write_connections(sandbox: Sandbox) -> None:
    """Point the application at the primary."""
    host, port, user = "127.0.0.1", sandbox.ports["primary"], "clickview"
    values = {
        "DATABASE_URL": f"postgresql://{user}:{quote(sandbox.secret(user), safe='')}@{host}:{port}/{quote(sandbox.database, safe='')}",
        "DB_HOST": host,
        "DB_PORT": port,
        "DB_NAME": sandbox.database,
        "DB_USER": user,
        "REDIS_HOST": host,
        "REDIS_PORT": sandbox.ports["redis"],
        "REDIS_PASSWORD_FILE": sandbox.secrets_dir / "redis",
    }
    file = sandbox.folder / "application.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def read_connections(sandbox: Sandbox) -> dict[str, str]:
    """The variables as they are now."""
    lines = (sandbox.folder / "application.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def database_url(sandbox: Sandbox) -> str:
    """The application's database, as the application knows it."""
    return read_connections(sandbox)["DATABASE_URL"]
