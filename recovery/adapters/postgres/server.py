"""A running PostgreSQL server: what it is, where it stands, its heartbeat and its WAL."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import LiteralString, NoReturn

from psycopg.rows import TupleRow

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.copy_settings import LIMITS
from recovery.errors import RecoveryError, VerificationFailed
from recovery.facts import DatabaseAddress, ServerFacts
from recovery.waiting import wait_until
from recovery.wal import parse_lsn

log = logging.getLogger(__name__)

_WATCHED_SETTINGS = (
    "archive_command",
    "archive_mode",
    "archive_timeout",
    "data_checksums",
    "log_directory",
    *LIMITS,
    "server_version",
    "track_commit_timestamp",
    "wal_level",
    "wal_log_hints",
)
# An application's own may be marked as a template, too.
DATABASES: LiteralString = "SELECT datname FROM pg_database WHERE datname NOT IN ('template0', 'template1') ORDER BY 1"
_POLL_SECONDS = 0.2
_BEAT_SECONDS = 10.0  # a beat that comes later says nothing: the next one is due


class PostgresServer:
    """One server, seen with one role; the heartbeat is in the application's database.

    The server is not that database: what is asked of the server is answered also when the database is gone.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        self._database = address
        self._server = replace(address, name="")

    def read_facts(self) -> ServerFacts:
        """Read the server's state in a few queries.

        Raises: TargetUnreachable, SettingsInvalid.
        """
        with connect(self._server, read_only=True) as connection:
            facts = _read_facts(connection)
        try:
            there = self._database.name in facts.databases
            return replace(facts, heartbeat_at=self.read_heartbeat()) if there else facts
        except RecoveryError as error:  # the database lets nobody in, or is damaged: the server is what was asked for
            log.warning("the heartbeat could not be read: %s", error.problem)
            return facts

    def switch_wal(self) -> str:
        """Close the current WAL segment so that it is archived; returns its name."""
        with connect(self._server) as connection:
            return str(one_row(connection, "SELECT pg_walfile_name(pg_switch_wal())")[0])

    def wait_until_archived(self, segment: str, *, seconds: float) -> None:
        """Wait until the archiver has delivered a segment.

        Raises: VerificationFailed when it has not at the deadline.
        """
        query: LiteralString = "SELECT last_archived_wal, failed_count, last_failed_wal FROM pg_stat_archiver"

        def there(row: TupleRow) -> bool:
            return row[0] is not None and str(row[0])[8:24] >= segment[8:] and str(row[0])[:8] >= segment[:8]

        with connect(self._server, read_only=True) as connection:
            row = wait_until(lambda: one_row(connection, query), seconds, so=there, pause=_POLL_SECONDS)
        if not there(row):
            raise VerificationFailed(
                f"WAL segment {segment} was not archived within {seconds:.0f} s"
                f" (failures so far: {row[1]}, last: {row[2]})",
                "read the server's log for archive-push errors; run: recover backup check",
            )

    def beat(self) -> datetime:
        """Write the heartbeat row; returns the moment it says."""
        with connect(self._database, statement_seconds=_BEAT_SECONDS) as connection:
            return beat(connection)

    def keep_beating(self, *, every_seconds: float, on_trouble: Callable[[str], None]) -> NoReturn:
        """Write the heartbeat for ever; a server that is away is asked again."""
        while True:
            try:
                with connect(self._database, statement_seconds=_BEAT_SECONDS) as connection:
                    while True:
                        beat(connection)
                        time.sleep(every_seconds)
            except RecoveryError as error:
                on_trouble(error.problem)
                time.sleep(every_seconds)

    def read_heartbeat(self) -> datetime | None:
        """The moment of the last heartbeat in this database; None without a heartbeat table."""
        with connect(self._database, read_only=True) as connection:
            return _heartbeat(connection)


def seen_through(address: DatabaseAddress) -> str:
    """The database through which a server without a name of one is looked at."""
    with connect(address, read_only=True) as connection:
        return str(one_row(connection, "SELECT current_database()")[0])


def beat(connection: Connection) -> datetime:
    """Write the heartbeat row."""
    moment: datetime = one_row(connection, "SELECT clickview_recovery.beat()")[0]
    return moment


# A view of that name is none of ours: it would run functions of whoever made it, with our rights.
_HEARTBEAT: LiteralString = """
SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
WHERE n.nspname OPERATOR(pg_catalog.=) 'clickview_recovery' AND c.relname OPERATOR(pg_catalog.=) 'heartbeat'
    AND c.relkind OPERATOR(pg_catalog.=) 'r'
"""


def _heartbeat(connection: Connection) -> datetime | None:
    if connection.execute(_HEARTBEAT).fetchone() is None:
        return None
    row = connection.execute("SELECT at FROM clickview_recovery.heartbeat").fetchone()
    return row[0] if row else None


_ARCHIVER: LiteralString = """
SELECT archived_count, failed_count, last_archived_wal, last_archived_time, last_failed_time FROM pg_stat_archiver
"""


def _read_facts(connection: Connection) -> ServerFacts:
    query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
    settings: dict[str, str] = dict(connection.execute(query, (list(_WATCHED_SETTINGS),)).fetchall())
    row = one_row(
        connection,
        """SELECT current_setting('server_version_num')::int, s.system_identifier::text, c.timeline_id,
                  pg_is_in_recovery(),
                  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
                  pg_size_bytes(current_setting('wal_segment_size')), clock_timestamp(),
                  current_setting('data_directory'),
                  (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint,
                  CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_walfile_name(pg_current_wal_lsn()) END
           FROM pg_control_system() s, pg_control_checkpoint() c""",
    )
    archiver = one_row(connection, _ARCHIVER)
    # After a promotion the control file names the old timeline until the next checkpoint.
    timeline = int(row[9][:8], 16) if row[9] else row[2]
    return ServerFacts(
        version=row[0],
        system_identifier=row[1],
        timeline=timeline,
        in_recovery=row[3],
        current_lsn=parse_lsn(row[4] or "0/0"),
        segment_bytes=row[5],
        now=row[6],
        data_dir=row[7],
        data_checksums=settings.get("data_checksums") == "on",
        database_bytes=row[8],
        settings=settings,
        archived_count=archiver[0],
        archive_failures=archiver[1],
        last_archived_wal=archiver[2],
        last_archived_at=archiver[3],
        last_archive_failure_at=archiver[4],
        databases=_names(connection, DATABASES),
        segments_in_pg_wal=_names(connection, "SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"),
        segments_waiting=_names(
            connection, "SELECT left(name, 24) FROM pg_ls_archive_statusdir() WHERE name ~ '^[0-9A-F]{24}[.]ready$'"
        ),
    )


def _names(connection: Connection, query: str) -> tuple[str, ...]:
    return tuple(sorted(str(row[0]) for row in connection.execute(query.encode())))
