"""Where the application and its writer find their database and their Redis.

The database is known by DATABASE_URL alone, as the real ClickView knows it: a failover that changes only DB_HOST, which
stands beside it, changes nothing. The application has these variables from its Secret, the writer from `application.env`.
"""

from __future__ import annotations

from urllib.parse import quote

from sandbox.layout import Sandbox


def connections(sandbox: Sandbox, database: str, cache: str) -> dict[str, str]:
    """The variables that lead to a database and a Redis, each at a port of this sandbox."""
    host, user = "127.0.0.1", "clickview"
    login = f"{user}:{quote(sandbox.secret(user), safe='')}@{host}:{sandbox.ports[database]}"
    return {
        "DATABASE_URL": f"postgresql://{login}/{quote(sandbox.database, safe='')}",
        "DB_HOST": host,
        "DB_PORT": str(sandbox.ports[database]),
        "DB_NAME": sandbox.database,
        "DB_USER": user,
        "DB_PASSWORD": sandbox.secret(user),
        "REDIS_URL": f"redis://:{quote(sandbox.secret('redis'), safe='')}@{host}:{sandbox.ports[cache]}/0",
        "REDIS_HOST": host,
        "REDIS_PORT": str(sandbox.ports[cache]),
        "REDIS_PASSWORD": sandbox.secret("redis"),
    }


def write_connections(sandbox: Sandbox) -> None:
    """Point the writer at the primary."""
    file = sandbox.folder / "application.env"
    file.touch(mode=0o600)
    values = connections(sandbox, "primary", "redis")
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def database_url(sandbox: Sandbox) -> str:
    """The writer's database, as it is named now."""
    lines = (sandbox.folder / "application.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["DATABASE_URL"]
