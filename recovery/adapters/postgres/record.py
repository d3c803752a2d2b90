"""What the source holds at one position: its catalog, its rows, and what is not as it should be there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

from psycopg import Error, errors, sql

from recovery.adapters.postgres.catalog import catalog_of
from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.replay_pause import paused_replay
from recovery.catalog import Catalog, Table, TableName
from recovery.catalog import Sequence as CatalogSequence
from recovery.expectation import Expectation
from recovery.facts import BrokenRule, DatabaseAddress, RecordedFacts, TableCount, UnaskedRule
from recovery.wal import parse_lsn

_COUNT_SECONDS = 600.0  # every row of every table is counted
# A table that somebody changes right now is left out; nobody queues behind us, and no replay stays paused for it.
_NO_WAITING: LiteralString = "SET lock_timeout = '2s'"
_OWN_SCHEMA = "clickview_recovery"


@dataclass(frozen=True)
class Snapshot:
    """The source held still at one position: as long as this lasts, all that is asked belongs to it.

    What a question locked is let go with it (its transaction is rolled back): the locks of thousands of tables, held
    together, would leave the application none.
    """

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
        at: datetime = one_row(self.connection, "SELECT clock_timestamp()")[0]
        counts, broken, uncounted, unasked = [], [], [], []
        for table in filter(_counted, catalog.tables):
            try:
                rows, breaking, left_out = count_rows(self.connection, table, by_table.get(table.name, []))
            except Error as error:
                _require_open(self.connection, error)
                uncounted.append(table.name)  # locked, damaged, gone: of this one nothing is recorded
                continue
            counts.append(TableCount(table.name, rows, own=True))
            broken += breaking
            unasked += left_out
        behind, unseen = self.sequences(catalog)
        return RecordedFacts(
            self.lsn,
            at,
            self.exact,
            tuple(counts),
            catalog,
            behind,
            tuple(broken),
            tuple(uncounted),
            unseen,
            tuple(unasked),
        )

    def sequences(self, catalog: Catalog) -> tuple[tuple[TableName, ...], tuple[TableName, ...]]:
        """The sequences whose next value a row has already, and those that nobody could look at."""
        seen = {one.name: _is_behind(self.connection, one) for one in catalog.sequences}
        return tuple(name for name, is_behind in seen.items() if is_behind), tuple(
            name for name, is_behind in seen.items() if is_behind is None
        )

    def column(self, query: str) -> tuple[Any, ...] | None:
        """The first column of what a query finds; None where it cannot be asked: no reason to lose all that was."""
        try:
            with self.connection.transaction(force_rollback=True):
                return tuple(row[0] for row in self.connection.execute(_as_query(query)).fetchall())
        except Error as error:
            _require_open(self.connection, error)
            return None


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
    connection: Connection, table: Table, rules: Sequence[Expectation] = ()
) -> tuple[int, list[BrokenRule], list[UnaskedRule]]:
    """The rows of one table, its own alone, how many break each rule, and the rules that cannot be asked."""
    try:
        rows, *breaking = _counts(connection, table, rules)
    except Error as error:
        _require_open(connection, error)
        if not rules:
            raise
        if isinstance(error, (errors.QueryCanceled, errors.LockNotAvailable)):
            # Who waited for all waits for each, and meanwhile no replay goes on: of the rules nothing is known.
            (rows,) = _counts(connection, table, ())
            return rows, [], [UnaskedRule(table.name, rule.name) for rule in rules]
        return _counted_apart(connection, table, rules)
    broken = [BrokenRule(table.name, rule.name, n) for rule, n in zip(rules, breaking, strict=True) if n]
    return rows, broken, []


def _counted_apart(
    connection: Connection, table: Table, rules: Sequence[Expectation]
) -> tuple[int, list[BrokenRule], list[UnaskedRule]]:
    """One of them stumbles over a value: each is asked alone, as the copy will be."""
    (rows,) = _counts(connection, table, ())
    broken, unasked = [], []
    for rule in rules:
        try:
            _, number = _counts(connection, table, (rule,))
        except Error as error:
            _require_open(connection, error)
            unasked.append(UnaskedRule(table.name, rule.name))
            continue
        broken += [BrokenRule(table.name, rule.name, number)] if number else []
    return rows, broken, unasked


def _counts(connection: Connection, table: Table, rules: Sequence[Expectation]) -> list[int]:
    breaking = [f", count(*) FILTER (WHERE {rule.breaks})" for rule in rules]
    with connection.transaction(force_rollback=True):
        row = connection.execute(_as_query(f"SELECT count(*){''.join(breaking)} FROM {table.source} c")).fetchone()
    return [int(number) for number in row or ()]


def _counted(table: Table) -> bool:
    """Ours changes while we look, and an unlogged table comes back empty."""
    return table.logged and table.name.schema != _OWN_SCHEMA


def _is_behind(connection: Connection, sequence: CatalogSequence) -> bool | None:
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
        with connection.transaction(force_rollback=True):
            row = connection.execute(query).fetchone()
    except Error as error:
        _require_open(connection, error)
        return None
    return bool(row and row[0])


def _require_open(connection: Connection, error: Error) -> None:
    """An error that ended the connection says nothing of one table."""
    if connection.closed:
        raise error


def _as_query(text: str) -> sql.SQL:
    """SQL made of a catalog's own words; % is no parameter where none is given."""
    return sql.SQL(text)
