"""What a contestant does and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recovery.adapters.postgres.catalog import catalog_of
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.record import count_rows
from recovery.facts import DatabaseAddress

COUNT_SECONDS = 600.0


@dataclass(frozen=True)
class Content:
    """What is in a database: rows of every table, and its size."""

    rows: Mapping[str, int]
    database_bytes: int


@dataclass(frozen=True)
class Taken:
    """A backup that a contestant took."""

    name: str
    seconds: float
    stored_bytes: int


@dataclass(frozen=True)
class Restored:
    """A restore: until the database could be written to, and what was in it then."""

    seconds: float
    content: Content


@dataclass(frozen=True)
class Contestant:
    """One way to back up and to restore; `restores` may hold more than one way back from a backup."""

    who: str
    back_up: Callable[[], Taken]
    restores: Mapping[str, Callable[[Taken], Restored]]
    forget: Callable[[Taken], None]
    missing: str | None = None


@dataclass
class Stopwatch:
    """Measures from when it is made until it is stopped."""

    begin: float = field(default_factory=time.perf_counter)

    def stop(self) -> float:
        """The seconds until now."""
        return time.perf_counter() - self.begin


def look_into(address: DatabaseAddress) -> Content:
    """Count the rows of every table of a database, and measure it."""
    with connect(address, statement_seconds=COUNT_SECONDS, read_only=True) as connection:
        size = one_row(connection, "SELECT pg_database_size(current_database())")[0]
        tables = catalog_of(connection, address.name).tables
        return Content({str(one.name): count_rows(connection, one)[0] for one in tables}, int(size))
