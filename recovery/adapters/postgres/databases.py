"""The databases of a server: list, create, hand over, drop."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect
from recovery.adapters.postgres.event_triggers import kept_still
from recovery.adapters.postgres.handing_over import creation, hand_over
from recovery.adapters.postgres.properties import DatabaseProperties
from recovery.adapters.postgres.server import DATABASES, PostgresServer
from recovery.facts import DatabaseAddress, LeftOut

_CHANGE_SECONDS = 120.0  # CREATE and DROP DATABASE wait for a checkpoint


class SiteDatabases:
    """The databases of one server, seen by its superuser."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address

    def names(self) -> tuple[str, ...]:
        """All databases of the server but PostgreSQL's own templates."""
        with connect(replace(self._address, name=""), read_only=True) as connection:
            rows = connection.execute(DATABASES).fetchall()
        return tuple(str(row[0]) for row in rows)

    def create(self, name: str, like: DatabaseProperties) -> None:
        """Create an empty database of this kind; nobody but superusers may enter it, and nobody did before."""
        identifier = sql.Identifier(name)
        with connect(self._address, statement_seconds=_CHANGE_SECONDS) as connection:
            connection.execute(creation(name, like))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier))
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(identifier))

    def hand_over(self, name: str, new_name: str, like: DatabaseProperties) -> tuple[LeftOut, ...]:
        """Give a loaded database what this one had beside its contents, and its final name; what could not be given.

        Raises: VerificationFailed when a database of that name exists.
        """
        return hand_over(self._address, name, new_name, like)

    def drop(self, name: str) -> None:
        """Drop a database with all its connections and subscriptions. Idempotent."""
        with connect(self._address, statement_seconds=_CHANGE_SECONDS) as connection:
            subscribes = (
                """SELECT 1 FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = %s"""
            )
            if connection.execute(subscribes, (name,)).fetchone():
                allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true")
                connection.execute(allow.format(sql.Identifier(name)))
                with connect(replace(self._address, name=name)) as inside:
                    _drop_subscriptions(inside)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def read_heartbeat(self) -> datetime | None:
        """The last heartbeat in this database."""
        return PostgresServer(self._address).read_heartbeat()


def _drop_subscriptions(connection: Connection) -> None:
    """Drop the subscriptions of the database that this is connected to: with one of them it cannot be dropped.

    Their slots at the publisher belong to the live database, and stay.
    """
    query: LiteralString = """SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
                              WHERE d.datname = current_database()"""
    with kept_still(connection):  # one may forbid it
        for row in connection.execute(query).fetchall():
            name: Any = sql.Identifier(row[0])
            for action in (
                "ALTER SUBSCRIPTION {} DISABLE",
                "ALTER SUBSCRIPTION {} SET (slot_name = NONE)",
                "DROP SUBSCRIPTION {}",
            ):
                connection.execute(sql.SQL(action).format(name))
