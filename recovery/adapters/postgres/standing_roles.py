"""Roles that a server has already: whether there is one, what it may, and what keeps it out."""

from __future__ import annotations

from typing import LiteralString

from recovery.adapters.postgres.connection import Connection, connect
from recovery.facts import DatabaseAddress

_POWERS: LiteralString = """
SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = %s
"""
_NAMES = ("SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS")
NOLOGIN = "NOLOGIN"
_BARRED: LiteralString = """
SELECT CASE
    WHEN NOT rolcanlogin THEN 'NOLOGIN'
    WHEN rolvaliduntil <= now() THEN format('VALID UNTIL %%L', rolvaliduntil)
    WHEN rolconnlimit >= 0 AND rolconnlimit <= (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid)
    THEN format('CONNECTION LIMIT %%s', rolconnlimit)
END FROM pg_roles r WHERE rolname = %s
"""


def is_there(connection: Connection, role: str) -> bool:
    """Whether the server has a role of this name."""
    return connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None


def read_groups(address: DatabaseAddress, role: str) -> tuple[str, ...] | None:
    """All roles that a role is a member of; None when there is no such role."""
    with connect(address, read_only=True) as connection:
        if not is_there(connection, role):
            return None
        query = "SELECT rolname FROM pg_roles WHERE pg_has_role(%s, oid, 'MEMBER')"
        return tuple(str(row[0]) for row in connection.execute(query, (role,)).fetchall())


def read_powers(address: DatabaseAddress, role: str) -> tuple[str, ...]:
    """What a role may past all rights; nothing when there is no such role."""
    with connect(address, read_only=True) as connection:
        row = connection.execute(_POWERS, (role,)).fetchone()
    return tuple(name for name, held in zip(_NAMES, row or (), strict=False) if held)


def read_bar(address: DatabaseAddress, role: str) -> str | None:
    """What keeps a role out although its password is right, in the server's own words, or None."""
    with connect(address, read_only=True) as connection:
        row = connection.execute(_BARRED, (role,)).fetchone()
    return row[0] if row else None
