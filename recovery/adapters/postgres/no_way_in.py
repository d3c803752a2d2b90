"""Why a server let nobody in, in whatever language it says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.facts import DatabaseAddress

# Asks with the same role and password in a database that every server has; None: there is no way in there, either.
AskOutside = Callable[[], "psycopg.Connection[TupleRow] | None"]

_PING_SECONDS = 5
_ROLE = re.compile(r"password|authentication failed|pg_hba\.conf|not permitted to log in|role .* does not exist")
_FULL = re.compile(r"too many (?:clients|connections)|connection slots are reserved|number of requested standby")
# A database whose folder is missing is said not to exist, too: nobody dropped it.
_GONE = re.compile(r'FATAL:\s+database ".*" does not exist(?!.* subdirectory )')
_CLOSED = re.compile(r"permission denied for database|not currently accepting connections")


class NotThisDatabase(SettingsInvalid):
    """The server is there and knows us; this database is gone, or closed to us."""


def no_way_in(error: psycopg.OperationalError, address: DatabaseAddress, ask_outside: AskOutside) -> RecoveryError:
    """Why there is no connection, as the operator must know it: no answer, not yet, not this role, not this database.

    A server speaks its own language before it knows who asks, and libpq does not show the code of what it says. So
    what is not said in English is found out by asking: whether it answers at all, and what is seen from outside.
    """
    text = _said(" ".join(str(error).split()))
    # Who was silent for as long as we wait is not asked once more.
    silent = isinstance(error, errors.ConnectionTimeout)
    match pq.Ping.NO_RESPONSE if silent else _ping(address):
        case pq.Ping.REJECT:
            return TargetUnreachable(f"{address.shown} is shutting down or starting: {text}", _WAIT)
        case pq.Ping.OK:
            return _refused(text, address, ask_outside)
    return TargetUnreachable(
        f"{address.shown} does not answer: {text}", "check that the server runs and the address is right"
    )


_WAIT = "wait, then run this again"


def _ping(address: DatabaseAddress) -> pq.Ping:
    """Whether a server answers there, whoever asks and for what.

    Ref.: PostgreSQL manual, PQping.
    """
    where = make_conninfo(
        host=address.host,
        port=address.port,
        user=address.user,
        dbname=address.name,
        connect_timeout=_PING_SECONDS,
    )
    return pq.Ping(pq.PGconn.ping(where.encode()))


def _refused(text: str, address: DatabaseAddress, ask_outside: AskOutside) -> RecoveryError:
    if _GONE.search(text):
        return _gone(address)
    if _CLOSED.search(text):
        return _closed(address)
    if _FULL.search(text):
        return TargetUnreachable(
            f"{address.shown} has no connection left: {text}",
            "end some, or raise the limit; then run this again",
        )
    if _ROLE.search(text):
        return SettingsInvalid(
            f"{address.shown}: role {address.user} was refused (password or pg_hba.conf): {text}",
            "correct the role's password in recovery.toml or the environment; a line that pg_hba.conf lacks is named by:"
            " recover site prepare",
        )
    if outside := ask_outside():
        with outside:
            return _seen_from_outside(outside, address, text)
    return SettingsInvalid(
        f"{address.shown} did not let role {address.user} in: {text}",
        "those are the server's own words: mostly a password, a line of pg_hba.conf, or a limit of connections",
    )


def _seen_from_outside(outside: psycopg.Connection[TupleRow], address: DatabaseAddress, text: str) -> RecoveryError:
    query = "SELECT datallowconn AND has_database_privilege(oid, 'CONNECT') FROM pg_database WHERE datname = %s"
    row = outside.execute(query, (address.name,)).fetchone()
    if row is None:
        return _gone(address)
    if not row[0]:
        return _closed(address)
    return TargetUnreachable(f"{address.shown} let nobody in: {text}", _WAIT)


def _gone(address: DatabaseAddress) -> RecoveryError:
    return NotThisDatabase(
        f"there is no database {address.name} on {address.host}:{address.port}",
        "correct the name (psql -l lists the databases); if it was dropped, bring it back: recover backup restore"
        " --target-time=MOMENT-BEFORE --target-database=NAME",
    )


def _closed(address: DatabaseAddress) -> RecoveryError:
    return NotThisDatabase(
        f"{address.shown}: role {address.user} may not connect to this database",
        "run: recover site prepare --apply (by hand: GRANT CONNECT ON DATABASE, ALTER DATABASE … ALLOW_CONNECTIONS)",
    )


def _said(text: str) -> str:
    """What was said last, without where it was asked: without encryption, say, after it was tried with."""
    return text.rpartition(" failed: ")[2][:300]
