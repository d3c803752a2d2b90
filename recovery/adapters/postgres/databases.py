"""The databases of a server: list, create, rename, drop."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from psycopg import sql

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.server import PostgresServer
from recovery.facts import DatabaseAddress

_CHANGE_SECONDS = 120.0  # CREATE and DROP DATABASE wait for a checkpoint


class SiteDatabases:
    """The databases of one server, seen by its superuser."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address

    def names(self) -> tuple[str, ...]:
        """All databases of the server but the templates."""
        with connect(replace(self._address, name=""), read_only=True) as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").fetchall()
        return tuple(str(row[0]) for row in rows)

    def create(self, name: str, *, like: str) -> None:
        """Create an empty database with the owner, encoding and collation of another one."""
        with connect(self._address, statement_seconds=_CHANGE_SECONDS) as connection:
            row = one_row(
                connection,
                """SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype
                   FROM pg_database WHERE datname = %s""",
                (like,),
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
                    sql.Identifier(name), sql.Identifier(row[0]), *map(sql.Literal, row[1:])
                )
            )

    def rename(self, name: str, new_name: str) -> None:
        """Give a database its final name.

        Raises: VerificationFailed when a database of that name exists.
        """
        with connect(self._address) as connection:
            statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(new_name)))

    def drop(self, name: str) -> None:
        """Drop a database with all its connections. Idempotent."""
        with connect(self._address, statement_seconds=_CHANGE_SECONDS) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def read_heartbeat(self) -> datetime | None:
        """The last heartbeat in this database."""
        return PostgresServer(self._address).read_heartbeat()
