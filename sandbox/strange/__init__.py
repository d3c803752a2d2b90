"""A database as other people have it: odd names, every type, every kind of key, thousands of tables."""

from __future__ import annotations

from importlib import resources

from recovery.adapters.postgres.connection import connect
from recovery.facts import DatabaseAddress

DATABASE = 'click"view ünd co'
PASSWORD_END = "@:/% '\"\\="  # of every role's password
TABLES = 3000

_MAKE_SECONDS = 600.0
_PARTS = ("names", "values", "shapes", "search_path")


def make_strange(owner: DatabaseAddress, superuser: DatabaseAddress, tables: int = TABLES) -> None:
    """Fill a database with all that is strange, and with so many small tables besides."""
    with connect(owner, statement_seconds=_MAKE_SECONDS) as connection:
        for part in _PARTS:
            with connection.transaction():
                connection.execute(_sql(part))
        connection.execute("SELECT set_config('sandbox.tables', %s, false)", (str(tables),))
        connection.execute(_sql("many"))
    with connect(superuser, statement_seconds=_MAKE_SECONDS) as connection:
        connection.execute(_sql("server"))


def _sql(part: str) -> bytes:
    return resources.files("sandbox.strange").joinpath(f"{part}.sql").read_bytes()
