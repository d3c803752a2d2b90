"""Connections to PostgreSQL with a deadline on everything, and psycopg's errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from recovery.adapters.postgres.socket_owner import calling_as_its_owner
from recovery.environment import NO_FILE, forget_the_shell
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress

Connection = psycopg.Connection[TupleRow]


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

    Row level security is switched off, so that a hidden row is an error and never a silent gap.
    Raises: TargetUnreachable, SettingsInvalid (password, database or role), VerificationFailed.
    """
    options = f"-c statement_timeout={int(statement_seconds * 1000)} -c row_security=off"
    if read_only:
        options += " -c default_transaction_read_only=on"
    with (
        translated(address),
        open_connection(
            host=address.host,
            port=address.port,
            dbname=address.name,
            user=address.user,
            password=address.password,
            connect_timeout=connect_seconds,
            application_name="clickview-recovery",
            options=options,
            client_encoding="UTF8",  # else the names of a database in SQL_ASCII come as bytes
            autocommit=autocommit,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=int(statement_seconds * 1000) + 10_000,
        ) as connection,
    ):
        yield connection


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
    where = f"{address.name} on {address.host}:{address.port}"
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
    if isinstance(error, psycopg.OperationalError):
        return _connection_error(error, text, where, address)
    return VerificationFailed(f"{where}: {text}", "the statement above was refused; see the server's log")


def _connection_error(
    error: psycopg.OperationalError, text: str, where: str, address: DatabaseAddress
) -> RecoveryError:
    lowered = text.lower()
    if "password" in lowered or "authentication failed" in lowered or "pg_hba.conf" in lowered:
        return SettingsInvalid(
            f"{where}: role {address.user} was refused (password or pg_hba.conf)",
            "correct the role's password in recovery.toml or the environment, then run: recover settings check",
        )
    if "does not exist" in lowered:
        return SettingsInvalid(f"{where}: {text.split('FATAL: ')[-1]}", "correct the name; psql -l lists the databases")
    return TargetUnreachable(
        f"{where} does not answer: {text[:300]}", "check that the server runs and the address is right"
    )


def one_row(connection: Connection, sql: LiteralString, parameters: Any = None) -> TupleRow:
    """The only row of a query that always has one."""
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row
