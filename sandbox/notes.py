"""What was acknowledged to the writer, and which of it a database holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from psycopg import sql

from recovery.adapters.postgres.connection import connect
from recovery.facts import DatabaseAddress

Ids = dict[str, set[str]]


@dataclass(frozen=True)
class Write:
    """One transaction of the writer. Without `acked_at` its outcome is unknown."""

    rows: dict[str, tuple[str, ...]]
    committed_at: datetime | None = None
    acked_at: datetime | None = None

    def is_in(self, moment: datetime) -> bool | None:
        """Whether it was committed at or before a moment; None when nobody knows."""
        if self.committed_at:
            return self.committed_at <= moment
        if self.acked_at and self.acked_at <= moment:
            return True
        return None


@dataclass(frozen=True)
class Comparison:
    """A database against the notes at a moment."""

    expected: int
    lost: Ids
    extra: Ids

    @property
    def lost_rows(self) -> int:
        """Rows that were acknowledged and are not there."""
        return sum(len(ids) for ids in self.lost.values())

    @property
    def extra_rows(self) -> int:
        """Rows that are there although they were committed later."""
        return sum(len(ids) for ids in self.extra.values())

    @property
    def exact(self) -> bool:
        return not self.lost_rows and not self.extra_rows


def read_notes(file: Path) -> list[Write]:
    """All transactions in the order they were made. A line that a crash cut short is passed over."""
    writes: dict[str, Write] = {}
    for line in file.read_text().splitlines():
        try:
            note = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "rows" in note:
            writes[note["write"]] = Write({table: tuple(ids) for table, ids in note["rows"].items()})
        elif note["write"] in writes:
            writes[note["write"]] = replace(
                writes[note["write"]], committed_at=_moment(note["committed_at"]), acked_at=_moment(note["acked_at"])
            )
    return list(writes.values())


def acknowledged_until(writes: Iterable[Write], moment: datetime) -> Ids:
    """The rows that were committed at or before a moment and acknowledged, by table."""
    return _collect(write for write in writes if write.is_in(moment) and write.acked_at)


def committed_after(writes: Iterable[Write], moment: datetime) -> Ids:
    """The rows that were certainly committed later than a moment, by table."""
    return _collect(write for write in writes if write.is_in(moment) is False)


def compare(address: DatabaseAddress, writes: list[Write], moment: datetime) -> Comparison:
    """Count what a database lost, and what it has too much, as of a moment.

    The role must see past row level security (the reader or the superuser).
    """
    expected, later = acknowledged_until(writes, moment), committed_after(writes, moment)
    tables = sorted(expected.keys() | later.keys())
    with connect(address, statement_seconds=300, read_only=True) as connection:
        present: Ids = {}
        for table in tables:
            query = sql.SQL("SELECT id::text FROM {} WHERE id = ANY(%s::text[]::uuid[])").format(sql.Identifier(table))
            wanted = list(expected.get(table, set()) | later.get(table, set()))
            present[table] = {row[0] for row in connection.execute(query, [wanted])}
    return Comparison(
        expected=sum(len(ids) for ids in expected.values()),
        lost={table: ids - present[table] for table, ids in expected.items()},
        extra={table: ids & present[table] for table, ids in later.items()},
    )


def _collect(writes: Iterable[Write]) -> Ids:
    found: Ids = {}
    for write in writes:
        for table, ids in write.rows.items():
            found.setdefault(table, set()).update(ids)
    return found


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
