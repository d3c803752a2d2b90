"""What the source holds at one position: its catalog, its rows, and what is not as it should be there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import Error, sql

from recovery.adapters.postgres.catalog import catalog_of
from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.catalog import Catalog, Sequence, Table, TableName
from recovery.errors import VerificationFailed
from recovery.expectation import Expectation
from recovery.facts import BrokenRule, DatabaseAddress, RecordedFacts, TableCount
from recovery.waiting import wait_until
from recovery.wal import parse_lsn

_COUNT_SECONDS = 600.0  # every row of every table is counted
_PAUSE_SECONDS = 120.0  # replay pauses between two records; a large one takes a while
# A table that somebody changes right now is left out; nobody queues behind us, and no replay stays paused for it.
_NO_WAITING: LiteralString = "SET lock_timeout = '2s'"
_OWN_SCHEMA = "clickview_recovery"


@dataclass(frozen=True)
class Snapshot:
    """The source held still at one position: as long as this lasts, all that is asked belongs to it."""

    connection: Connection
    database: str
    lsn: int
    exact: bool

    def catalog(self) -> Catalog:
        """What it says of itself."""
        return catalog_of(self.connection, self.database)

    def record(self, catalog: Catalog, rules: Iterable[Expectation]) -> RecordedFacts:
        """Count the rows of every table, and those that break a rule, in one scan of each."""
        by_table: dict[TableName, list[Expectation]] = {}
        for rule in rules:
            by_table.setdefault(rule.table or TableName("", ""), []).append(rule)
        counts, broken, uncounted = [], [], []
        for table in filter(_counted, catalog.tables):
            try:
                rows, breaking = count_rows(self.connection, table, by_table.get(table.name, []))
            except Error as error:
                _require_open(self.connection, error)
                uncounted.append(table.name)  # locked, damaged, gone: of this one nothing is recorded
                continue
            counts.append(TableCount(table.name, rows, own=True))
            broken += breaking
        behind = self.behind(catalog)
        at: datetime = one_row(self.connection, "SELECT clock_timestamp()")[0]
        exact = self.exact
        return RecordedFacts(
            self.lsn, at, exact, tuple(counts), catalog, behind, tuple(broken), uncounted=tuple(uncounted)
        )

    def behind(self, catalog: Catalog) -> tuple[TableName, ...]:
        """The sequences whose next value a row has already."""
        return tuple(one.name for one in catalog.sequences if _is_behind(self.connection, one))


@contextmanager
def standstill(pauser: DatabaseAddress, reader: DatabaseAddress) -> Iterator[Snapshot]:
    """The standby with its replay paused: what is read belongs to exactly one LSN. Replay always goes on afterwards."""
    try:
        with connect(pauser) as control:
            control.execute("SELECT pg_wal_replay_pause()")
            _wait_until_paused(control)
            lsn = parse_lsn(str(one_row(control, "SELECT pg_last_wal_replay_lsn()")[0]))
        with connect(reader, statement_seconds=_COUNT_SECONDS, read_only=True) as connection:
            connection.execute(_NO_WAITING)
            yield Snapshot(connection, reader.name, lsn, exact=True)
    finally:
        with connect(pauser) as control:
            control.execute("SELECT pg_wal_replay_resume()")


@contextmanager
def snapshot(address: DatabaseAddress, *, seconds: float = _COUNT_SECONDS) -> Iterator[Snapshot]:
    """One snapshot of a live server: close to an LSN, not exactly at it. Each question ends within `seconds`."""
    with connect(address, statement_seconds=seconds, autocommit=False, read_only=True) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(_NO_WAITING)
        lsn = parse_lsn(str(one_row(connection, "SELECT pg_current_wal_lsn()")[0]))
        yield Snapshot(connection, address.name, lsn, exact=False)


def count_rows(connection: Connection, table: Table, rules: Iterable[Expectation] = ()) -> tuple[int, list[BrokenRule]]:
    """The rows of one table, its own alone, and how many break each rule. A rule that cannot be asked is left out."""
    asked = list(rules)
    breaking = [f", count(*) FILTER (WHERE {rule.breaks})" for rule in asked]
    try:
        with connection.transaction():
            row = connection.execute(_as_query(f"SELECT count(*){''.join(breaking)} FROM {table.source} c")).fetchone()
    except Error as error:
        _require_open(connection, error)
        if not asked:
            raise
        # What one of them stumbles over, the check of the copy will name; the rows are counted without.
        return count_rows(connection, table)
    counted = [int(number) for number in row or (0,)]
    broken = [BrokenRule(table.name, rule.name, n) for rule, n in zip(asked, counted[1:], strict=True) if n]
    return counted[0], broken


def _counted(table: Table) -> bool:
    """Ours changes while we look, and an unlogged table comes back empty."""
    return table.logged and table.name.schema != _OWN_SCHEMA


def _is_behind(connection: Connection, sequence: Sequence) -> bool:
    # Not ONLY, as in the check of the copy: tables that inherit the column take their numbers from its sequence, too.
    query = sql.SQL(
        "SELECT COALESCE(m.newest > s.last_value OR (m.newest = s.last_value AND NOT s.is_called), false)"
        " FROM {} s, (SELECT max({}) AS newest FROM {}) m"
    ).format(
        _as_query(sequence.name.sql),
        sql.Identifier(sequence.column),
        _as_query(sequence.table.sql),
    )
    try:
        with connection.transaction():
            row = connection.execute(query).fetchone()
    except Error as error:
        _require_open(connection, error)
        return False  # the check of the copy stumbles over the same thing, and says so
    return bool(row and row[0])


def _require_open(connection: Connection, error: Error) -> None:
    """An error that ended the connection says nothing of one table."""
    if connection.closed:
        raise error


def _as_query(text: str) -> sql.SQL:
    """SQL made of a catalog's own words; % is no parameter where none is given."""
    return sql.SQL(text)


def _wait_until_paused(connection: Connection) -> None:
    def paused() -> bool:
        return bool(one_row(connection, "SELECT pg_get_wal_replay_pause_state() = 'paused'")[0])

    if not wait_until(paused, _PAUSE_SECONDS):
        raise VerificationFailed(
            f"the standby did not pause its replay within {_PAUSE_SECONDS:.0f} s", "look at the standby's log"
        )
