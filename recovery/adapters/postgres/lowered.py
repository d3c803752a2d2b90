"""With which role a restored copy is looked at: functions in its conditions and keys are the application's, not ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.preparation import apply_role, reader_role
from recovery.adapters.postgres.session import KEPT_FROM_OTHERS
from recovery.errors import RecoveryError
from recovery.facts import DatabaseAddress

# Made in a copy that has no reader of its own, and dropped there when all was looked at.
GUEST = "clickview_recovery_guest"

# With these a role leaves the database as a superuser does.
_MORE_THAN_READING = ["pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"]


def _is_superuser(address: DatabaseAddress) -> bool:
    """Whether this is how a superuser sees the server."""
    with connect(_outside(address), read_only=True) as connection:
        return bool(one_row(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0])


@contextmanager
def as_reader(copy: DatabaseAddress, reader: str) -> Iterator[DatabaseAddress]:
    """The same database of a copy as its reader sees it: all rows, and no power beside that.

    Checks run what the application's role wrote (conditions, expressions of keys), with the rights of whoever looks:
    never a superuser's. A copy in which the reader is missing, sees less than all rows or may do more gets a guest for
    as long as the block runs; where none can be made, nobody looks.
    Raises: TargetUnreachable, SettingsInvalid, VerificationFailed.
    """
    if not _is_superuser(copy):
        yield copy
        return
    with connect(_outside(copy), read_only=True) as connection:
        fit = _only_reads(connection, reader, copy.name)
    if fit:
        with _keeping_away(copy, reader):
            yield replace(copy, user=reader, password=None, bare=False)
        return
    _let_in(copy)
    try:
        with _keeping_away(copy, GUEST):
            yield replace(copy, user=GUEST, password=None, bare=False)
    finally:
        with suppress(RecoveryError):  # the server may be gone; a copy that keeps its guest is harmed by nothing
            _see_off(copy)


def _outside(address: DatabaseAddress) -> DatabaseAddress:
    """The superuser's own database: the owner of another one may put functions of theirs into every one's search path."""
    return replace(address, name="")


@contextmanager
def _keeping_away(copy: DatabaseAddress, role: str) -> Iterator[None]:
    """Keep from this role's sessions what a restored copy's source wanted in all: libraries, damage that is passed over."""
    if not copy.bare:  # a running server's own; it preloads what its people want
        yield
        return
    alter = sql.SQL("ALTER ROLE {} IN DATABASE {} ").format(sql.Identifier(role), sql.Identifier(copy.name))
    with connect(_outside(copy)) as connection:
        for name in KEPT_FROM_OTHERS:
            # As in this session, for libraries: none. '' in words would be a list of one library without a name.
            connection.execute(alter + sql.SQL("SET {} FROM CURRENT").format(sql.Identifier(name)))
    try:
        yield
    finally:
        with suppress(RecoveryError), connect(_outside(copy)) as connection:
            for name in KEPT_FROM_OTHERS:
                connection.execute(alter + sql.SQL("RESET {}").format(sql.Identifier(name)))


def _only_reads(connection: Connection, role: str, database: str) -> bool:
    row = connection.execute(
        """SELECT r.rolcanlogin AND r.rolbypassrls AND pg_has_role(r.oid, 'pg_read_all_data', 'USAGE')
                  AND has_database_privilege(r.oid, %s, 'CONNECT')
                  AND NOT EXISTS (SELECT FROM pg_roles g WHERE (g.rolsuper OR g.rolname = ANY(%s))
                                  AND pg_has_role(r.oid, g.oid, 'MEMBER'))
           FROM pg_roles r WHERE r.rolname = %s""",
        (database, _MORE_THAN_READING, role),
    ).fetchone()
    return bool(row and row[0])


def _let_in(copy: DatabaseAddress) -> None:
    outside = _outside(copy)
    apply_role(outside, reader_role(GUEST, None))
    with connect(outside) as connection:
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
        connection.execute(grant.format(sql.Identifier(copy.name), sql.Identifier(GUEST)))


def _see_off(copy: DatabaseAddress) -> None:
    with connect(_outside(copy)) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(GUEST)))
