"""What the source holds at one position: its catalog, its rows, and what is not as it should be there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString

from psycopg import Error, sql

from recovery.adapters.postgres.catalog import catalog_of
from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.replay_pause import paused_replay
from recovery.catalog import Catalog, Sequence, Table, TableName
from recovery.expectation import Expectation
from recovery.facts import BrokenRule, DatabaseAddress, RecordedFacts, TableCount
from recovery.wal import parse_lsn

_COUNT_SECONDS = 600.0  # every row of every table is counted
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
                rows, breaking = count_rows(self.connection, table.name, by_table.get(table.name, []))
            except Error as error:
                _require_open(self.connection, error)
                uncounted.append(table.name)  # locked, damaged, gone: of this one nothing is recorded
                continue
            counts.append(TableCount(table.name, rows))
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
def standstill(pauser: DatabaseAddress, reader: DatabaseAddress, mark: Path) -> Iterator[Snapshot]:
    """The standby with its replay paused: what is read belongs to exactly one LSN. Replay goes on afterwards.

    Raises: VerificationFailed when somebody else paused it; ReplayStaysPaused when it could not go on.
    """
    with (
        paused_replay(pauser, mark) as lsn,
        connect(reader, statement_seconds=_COUNT_SECONDS, read_only=True) as connection,
    ):
        connection.execute(_NO_WAITING)
        yield Snapshot(connection, reader.name, lsn, exact=True)


@contextmanager
def snapshot(address: DatabaseAddress, *, seconds: float = _COUNT_SECONDS) -> Iterator[Snapshot]:
    """One snapshot of a live server: close to an LSN, not exactly at it. Each question ends within `seconds`."""
    with connect(address, statement_seconds=seconds, autocommit=False, read_only=True) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(_NO_WAITING)
        lsn = parse_lsn(str(one_row(connection, "SELECT pg_current_wal_lsn()")[0]))
        yield Snapshot(connection, address.name, lsn, exact=False)


def count_rows(
    connection: Connection, table: TableName, rules: Iterable[Expectation] = ()
) -> tuple[int, list[BrokenRule]]:
    """The rows of one table, and how many break each rule. A rule that cannot be asked is left out."""
    asked = list(rules)
    breaking = [f", count(*) FILTER (WHERE {rule.breaks})" for rule in asked]
    try:
        with connection.transaction():
            row = connection.execute(_as_query(f"SELECT count(*){''.join(breaking)} FROM {table.sql} c")).fetchone()
    except Error as error:
        _require_open(connection, error)
        if not asked:
            raise
        # What one of them stumbles over, the check of the copy will name; the rows are counted without.
        return count_rows(connection, table)
    counted = [int(number) for number in row or (0,)]
    broken = [BrokenRule(table, rule.name, n) for rule, n in zip(asked, counted[1:], strict=True) if n]
    return counted[0], broken


def _counted(table: Table) -> bool:
    """Ours changes while we look, and an unlogged table comes back empty."""
    return table.logged and table.name.schema != _OWN_SCHEMA


def _is_behind(connection: Connection, sequence: Sequence) -> bool:
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
