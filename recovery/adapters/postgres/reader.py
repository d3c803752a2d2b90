"""One connection that only reads: it keeps to a deadline and comes back when the server does."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from recovery.adapters.postgres.connection import Connection, connect, translated
from recovery.adapters.postgres.seen import Row
from recovery.errors import Interrupted, RecoveryError
from recovery.facts import DatabaseAddress
from recovery.waiting import wait_until

Cursor = psycopg.Cursor[TupleRow]

_OPTIONS = {
    "enable_bitmapscan": "off",
    "constraint_exclusion": "off",
    "jit": "off",
    "timezone": "UTC",
    "work_mem": "64MB",
    "client_encoding": "UTF8",
    "lock_timeout": "10s",  # a table that somebody has locked is said to be, and the others are looked at
}
_SHORTEST_SECONDS = 0.001
# A server that crashed over a damaged page is back after its own recovery.
_BACK_SECONDS = 60.0
_CANCEL_SECONDS = 5.0


class Reader:
    """Asks a server one statement after the other, each with the time that is left."""

    def __init__(self, address: DatabaseAddress, seconds: float, deadline: float, options: Mapping[str, str]) -> None:
        self._address = address
        self._seconds = seconds
        self._deadline = deadline
        self._options = {**_OPTIONS, **options}
        self._open = ExitStack()
        self._connection: Connection | None = None
        self.away: RecoveryError | None = None  # why there is no way in

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def connection(self) -> Connection:
        """The connection; a server that was there before is waited for. Raises: TargetUnreachable, SettingsInvalid."""
        if self._connection is None or self._connection.closed:
            seconds = 0.0 if self._connection is None else _BACK_SECONDS
            self._open.close()
            self._connection = None if self.away else wait_until(self._let_in, seconds, pause=0.5)
        if self._connection is None:
            assert self.away is not None
            raise self.away
        return self._connection

    def execute(self, sql: str, settings: Mapping[str, str], seconds: float | None = None) -> Cursor:
        """Ask, with these settings; the last answer. Raises: psycopg.Error, Interrupted, TargetUnreachable."""
        try:
            return self._execute(sql, settings, seconds)
        except psycopg.Error:
            if self._connection is None or not self._connection.closed:
                raise
        # The server ended the connection, perhaps because of something that another one asked.
        return self._execute(sql, settings, seconds)

    def rows(self, sql: str, settings: Mapping[str, str], seconds: float) -> list[Row]:
        """Ask; the rows as the server writes them, so that a value is shown for which Python has no word."""
        cursor = self.execute(sql, settings, seconds)
        result, columns = cursor.pgresult, cursor.description
        assert result is not None and columns is not None
        return [
            tuple((column.name, _text(result.get_value(row, place))) for place, column in enumerate(columns))
            for row in range(result.ntuples)
        ]

    def cancel(self) -> None:
        """Tell the server to end what is under way, and hang up. May be called by another thread."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
            self.hang_up()

    def hang_up(self) -> None:
        """End the wait for a server that does not even end its statement. May be called by another thread."""
        with suppress(psycopg.Error, OSError):  # it is closed already
            if self._connection is not None:
                with socket.socket(fileno=os.dup(self._connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def _execute(self, sql: str, settings: Mapping[str, str], seconds: float | None) -> Cursor:
        left = self._deadline - time.monotonic()
        if left < _SHORTEST_SECONDS:
            raise Interrupted(
                f"the deadline of all checks had passed: {self._seconds:.0f} s (checks.timeout_seconds)",
                "look for locks and load on the server, then run this again",
            )
        changed = {"statement_timeout": f"{min(left, seconds or left) * 1000:.0f}", **settings}
        cursor = self.connection().execute(f"{_set(changed)}\n{sql}".encode())
        while cursor.nextset():  # the answers to SET
            pass
        return cursor

    def _let_in(self) -> Connection | None:
        try:
            way_in = connect(self._address, read_only=True, statement_seconds=self._seconds)
            connection = self._open.enter_context(way_in)
            with translated(self._address):
                connection.execute(_set(self._options).encode())
        except RecoveryError as error:
            self.away = error
            return None
        self.away = None
        return connection


def _set(settings: Mapping[str, str]) -> str:
    return " ".join(f"SET {name} = '{value}';" for name, value in settings.items())


def _text(value: Any) -> str:
    return "NULL" if value is None else bytes(value).decode(errors="replace")
