"""Look at what is expected of a database, and say what was seen; nobody judges here."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg

from recovery.adapters.postgres.connection import connect
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
    with connect(address, read_only=True) as connection:
        shapes = read_shapes(connection, with_keys=proven is not None)
    work = _Work(expectations, proven)
    for statement in statements(expectations, shapes):
        work.waiting.put(statement)
    deadline = time.monotonic() + seconds
    observers = [_Observer(work, Reader(address, seconds, deadline)) for _ in range(connections)]
    seen = _known_already(expectations)
    with ThreadPoolExecutor(max_workers=connections) as pool:
        try:
            for answers in pool.map(_Observer.answers, observers):
                seen.update(answers)
        except BaseException:
            work.rest()
            for observer in observers:
                observer.reader.cancel()
            raise
    away = next((observer.reader.away for observer in observers if observer.reader.away), None)
    left = (number for statement in work.rest() for number in statement.numbers)
    return seen | {number: Seen(problem=away.problem if away else "nobody looked") for number in left}


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
        self.reader = reader

    def answers(self) -> dict[int, Seen]:
        """What this one saw."""
        seen: dict[int, Seen] = {}
        with self.reader:
            for statement in self._work.statements() if self.reader.connected() else ():
                seen.update(self._seen(statement))
                if self.reader.away:
                    break  # another connection may have more luck
        return seen

    def _seen(self, statement: Statement) -> dict[int, Seen]:
        try:
            counts = self._counts(statement)
        except RecoveryError as error:  # out of time, or the server does not come back
            return {number: Seen(problem=error.problem) for number in statement.numbers}
        except psycopg.Error as error:
            if smaller := statement.apart():
                return {number: seen for one in smaller for number, seen in self._seen(one).items()}
            return {number: unseen(error) for number in statement.numbers}
        return {number: self._with_examples(number, rows) for number, rows in counts.items()}

    def _counts(self, statement: Statement) -> dict[int, int]:
        seconds = _TOGETHER_SECONDS if len(statement.looks) > 1 else None
        found = {
            number: total
            for place, totals in self.reader.execute(statement.sql, statement.settings, seconds).fetchall()
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
            found = self.reader.rows(query, FROM_TABLES, _EXAMPLES_SECONDS)
        except (RecoveryError, psycopg.Error) as error:
            return Seen(rows, ((("no row can be shown", str(error).splitlines()[0]),),))
        total = next((value for name, value in found[0] if name == _TOTAL), "") if found else ""
        return Seen(int(total) if total.isdigit() else rows, tuple(_without_total(row) for row in found))


def _without_total(row: Row) -> Row:
    return tuple(pair for pair in row if pair[0] != _TOTAL)
