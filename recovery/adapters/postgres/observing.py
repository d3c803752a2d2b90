"""Look at what is expected of a database, and say what was seen; nobody judges here."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from psycopg import errors

from recovery.adapters.postgres.connection import translated
from recovery.adapters.postgres.looks import FROM_TABLES, Statement, examples_query, statements
from recovery.adapters.postgres.reader import Reader
from recovery.adapters.postgres.seen import Row, Seen, unseen
from recovery.adapters.postgres.shapes import read_shapes
from recovery.errors import RecoveryError
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import DatabaseAddress

# Many small tables are read in milliseconds. Where it takes longer each is asked alone, so that the slow one is named.
_TOGETHER_SECONDS = 30.0
_EXAMPLES_SECONDS = 30.0
_FROZEN_SECONDS = 5.0  # past the deadline: by then a server that lives has ended its statement
_TOTAL = "rows_found"  # the column by which a query says how many rows there are in all


def observe(
    address: DatabaseAddress,
    expectations: Sequence[Expectation],
    *,
    seconds: float,
    connections: int = 1,
    proven: Callable[[], bool] | None = None,
) -> dict[int, Seen]:
    """Look at every expectation; what was seen, by its position. What nobody is to look at is left out.

    `proven` waits until it is known whether every index is whole: only then may one be read in place of its table.
    Raises: TargetUnreachable, SettingsInvalid when the server does not let us in.
    """
    deadline, options = time.monotonic() + seconds, _sharing(connections)
    with ExitStack() as opened:
        readers = [opened.enter_context(Reader(address, seconds, deadline, options)) for _ in range(connections)]
        with translated(address):
            shapes = read_shapes(readers[0].connection(), with_keys=proven is not None)
        work = _Work(expectations, proven)
        for statement in statements(expectations, shapes):
            work.waiting.put(statement)
        with _hung_up_after(seconds + _FROZEN_SECONDS, readers):
            seen = _answered([_Observer(work, reader) for reader in readers])
    away = next((reader.away.problem for reader in readers if reader.away), "")
    left = {number: Seen(problem=away) for statement in work.rest() for number in statement.numbers}
    return {**_known_already(expectations), **seen, **left}


def _sharing(connections: int) -> dict[str, str]:
    """How many processes a statement may take: together no more than there are cores, where the server is ours alone."""
    if connections == 1:
        return {}
    return {"max_parallel_workers_per_gather": str(max(0, (os.cpu_count() or 1) // connections - 1))}


@contextmanager
def _hung_up_after(seconds: float, readers: list[Reader]) -> Iterator[None]:
    """A server that is frozen does not keep to its own time-out."""

    def hang_up() -> None:
        for reader in readers:
            reader.hang_up()

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answered(observers: list[_Observer]) -> dict[int, Seen]:
    seen: dict[int, Seen] = {}
    with ThreadPoolExecutor(max_workers=len(observers)) as pool:
        try:
            for answers in pool.map(_Observer.answers, observers):
                seen.update(answers)
        except BaseException:
            for observer in observers:
                observer.stop()
            raise
    return seen


def _known_already(expectations: Sequence[Expectation]) -> dict[int, Seen]:
    return {
        number: Seen(len(one.differences), tuple((("", text),) for text in one.differences))
        for number, one in enumerate(expectations)
        if one.kind is ExpectationKind.AGREED
    }


class _Work:
    """What all observers share: the statements that wait to be asked."""

    def __init__(self, expectations: Sequence[Expectation], proven: Callable[[], bool] | None) -> None:
        self.expectations = expectations
        self.waiting: queue.SimpleQueue[Statement] = queue.SimpleQueue()
        self._proven = proven

    def statements(self) -> Iterator[Statement]:
        """Statements that nobody has taken yet, until none is left."""
        with suppress(queue.Empty):
            while True:
                statement = self.waiting.get_nowait()
                allowed = not statement.by_index or (self._proven is not None and self._proven())
                yield statement if allowed else statement.without_indexes()

    def rest(self) -> list[Statement]:
        """Take all that is left."""
        taken = []
        with suppress(queue.Empty):
            while True:
                taken.append(self.waiting.get_nowait())
        return taken


class _Observer:
    """One connection that takes statements until none is left."""

    def __init__(self, work: _Work, reader: Reader) -> None:
        self._work = work
        self._reader = reader

    def answers(self) -> dict[int, Seen]:
        """What this one saw."""
        seen: dict[int, Seen] = {}
        try:
            self._reader.connection()
        except RecoveryError:
            return seen  # the other one may do it all
        for statement in self._work.statements():
            seen.update(self._seen(statement))
            if self._reader.away:
                break
        return seen

    def stop(self) -> None:
        """Take nothing more, and end what is under way."""
        self._work.rest()
        self._reader.cancel()

    def _seen(self, statement: Statement) -> dict[int, Seen]:
        try:
            counts = self._counts(statement)
        except RecoveryError as error:  # out of time, or the server does not come back
            return {number: Seen(problem=error.problem) for number in statement.numbers}
        except psycopg.Error as error:
            if smaller := _smaller(statement, error):
                return {number: seen for one in smaller for number, seen in self._seen(one).items()}
            return {number: unseen(error) for number in statement.numbers}
        return {number: self._with_examples(number, rows) for number, rows in counts.items()}

    def _counts(self, statement: Statement) -> dict[int, int]:
        seconds = _TOGETHER_SECONDS if len(statement.looks) > 1 else None
        found = {
            number: total
            for place, totals in self._reader.execute(statement.sql, statement.settings, seconds).fetchall()
            for number, total in zip(statement.looks[place].counts, totals, strict=True)
        }
        if statement.looks[0].in_order and any(found.values()):
            # An index may still lead to rows that are long gone: the table has the last word.
            return self._counts(statement.without_indexes())
        return found

    def _with_examples(self, number: int, rows: int) -> Seen:
        query = examples_query(self._work.expectations[number]) if rows else ""
        if not query:
            return Seen(rows)
        try:
            found = self._reader.rows(query, FROM_TABLES, _EXAMPLES_SECONDS)
        except (RecoveryError, psycopg.Error) as error:
            return Seen(rows, ((("no row can be shown", str(error).splitlines()[0]),),))
        total = next((value for name, value in found[0] if name == _TOTAL), "") if found else ""
        return Seen(int(total) if total.isdigit() else rows, tuple(_without_total(row) for row in found))


def _smaller(statement: Statement, error: psycopg.Error) -> list[Statement]:
    """What to ask instead of a statement that failed. Who waits for a table waits whatever is asked of it."""
    waited = isinstance(error, (errors.QueryCanceled, errors.LockNotAvailable))
    return [] if waited and len(statement.looks) == 1 else statement.apart()


def _without_total(row: Row) -> Row:
    return tuple(pair for pair in row if pair[0] != _TOTAL)
