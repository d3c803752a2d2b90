"""Connections to PostgreSQL with a deadline on everything, and psycopg's errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from recovery.adapters.postgres.no_way_in import NotThisDatabase, no_way_in
from recovery.adapters.postgres.session import session_options
from recovery.adapters.postgres.socket_owner import calling_as_its_owner
from recovery.environment import NO_FILE, forget_the_shell
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress

Connection = psycopg.Connection[TupleRow]

# Where PostgreSQL's own programs look at a server that is not about one database (createdb, vacuumdb --all).
EVERYWHERE = ("postgres", "template1")
_OUTSIDE_SECONDS = 5
_LONGEST_MILLISECONDS = 2**31 - 1  # more is no number to the server, and to the kernel


@contextmanager
def connect(
    address: DatabaseAddress,
    *,
    connect_seconds: int = 5,
    statement_seconds: float = 30,
    autocommit: bool = True,
    read_only: bool = False,
) -> Iterator[Connection]:
    """A connection that is closed at the end.

    No setting of the server's people applies to it where it would be in our way (see session.py).
    Raises: TargetUnreachable, SettingsInvalid (password, database or role), VerificationFailed.
    """
    milliseconds = min(int(statement_seconds * 1000), _LONGEST_MILLISECONDS)
    ours = {"statement_timeout": str(milliseconds)}
    if read_only:
        ours["default_transaction_read_only"] = "on"
    with (
        translated(address),
        _let_in(
            address,
            connect_timeout=connect_seconds,
            options=session_options(ours, bare=address.bare),
            autocommit=autocommit,
            tcp_user_timeout=min(milliseconds + 10_000, _LONGEST_MILLISECONDS),
        ) as connection,
    ):
        yield connection


def _let_in(address: DatabaseAddress, **parameters: Any) -> Connection:
    """A connection to this database; where none is named, to one of those that every server has.

    Raises: psycopg.OperationalError; RecoveryError when it is known why there is no way in.
    """
    names = (address.name,) if address.name else EVERYWHERE
    for name in names:
        try:
            return _opened(replace(address, name=name), **parameters)
        except psycopg.OperationalError as error:
            cause = _explained(error, replace(address, name=name))
            # A server without `postgres` has its template; who is refused, or gets no answer, is so there, too.
            if name == names[-1] or not isinstance(cause, NotThisDatabase):
                raise cause from error
    raise AssertionError


def _explained(error: psycopg.OperationalError, address: DatabaseAddress) -> RecoveryError:
    def outside() -> Connection | None:
        for name in EVERYWHERE:
            try:
                return _opened(
                    replace(address, name=name),
                    connect_timeout=_OUTSIDE_SECONDS,
                    options=session_options({"statement_timeout": str(_OUTSIDE_SECONDS * 1000)}, bare=address.bare),
                )
            except psycopg.OperationalError:
                continue
        return None

    return no_way_in(error, address, outside)


def _opened(address: DatabaseAddress, **parameters: Any) -> Connection:
    return open_connection(
        host=address.host,
        port=address.port,
        dbname=address.name,
        user=address.user,
        password=address.password,
        application_name="clickview-recovery",
        client_encoding="UTF8",  # else the names of a database in SQL_ASCII come as bytes
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        **parameters,
    )


def open_connection(url: str = "", **parameters: Any) -> Connection:
    """Open a connection that is what its URL and its parameters say: no service, no option, no password of the shell or its user.

    Raises: psycopg.Error.
    """
    forget_the_shell()
    with calling_as_its_owner(parameters.get("host"), parameters.get("port")):
        return psycopg.connect(url, passfile=NO_FILE, **parameters)


@contextmanager
def translated(address: DatabaseAddress) -> Iterator[None]:
    """Turn psycopg's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise _typed(error, address) from error


def _typed(error: psycopg.Error, address: DatabaseAddress) -> RecoveryError:
    where = address.shown
    text = " ".join(str(error).split())
    if isinstance(error, errors.QueryCanceled):
        return TargetUnreachable(
            f"{where}: a query ran past its deadline", "look for locks and load, then run this again"
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return SettingsInvalid(
            f"{where}: role {address.user} may not do this: {text}", "run: recover site prepare --apply"
        )
    if isinstance(error, (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow)):
        return TargetUnreachable(f"{where} is shutting down or starting: {text}", "wait, then run this again")
    # With a code the server said it; without one the connection broke.
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return TargetUnreachable(
            f"{where} does not answer any more: {text[:300]}", "check that the server runs, then run this again"
        )
    if isinstance(error, (errors.DiskFull, errors.OutOfMemory, errors.TooManyConnections)):
        return TargetUnreachable(f"{where} has no room left: {text[:300]}", "mend that, then run this again")
    return VerificationFailed(f"{where}: {text}", "the statement above was refused; see the server's log")


def one_row(connection: Connection, sql: LiteralString, parameters: Any = None) -> TupleRow:
    """The only row of a query that always has one."""
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row
