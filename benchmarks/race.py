"""All contestants, one after the other, on the same database, and each restore proven."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from benchmarks.arena import Arena, open_arena
from benchmarks.barman import barman_cloud
from benchmarks.base_backup import base_backup
from benchmarks.dumps import dump, parallel_dump
from benchmarks.engine import engine, engine_with_defaults, warm_up
from benchmarks.flow import flow
from benchmarks.measure import Content, Contestant
from benchmarks.results import Row, medians
from benchmarks.small_tables import check_small_tables
from recovery.errors import VerificationFailed

Say = Callable[[str], None]


def race(size: str, repeat: int, say: Say) -> list[Row]:
    """Measure every contestant `repeat` times in turn; the medians.

    Raises: RecoveryError when a contestant fails or brings back something else.
    """
    say(
        f"a site with {size} of data comes up; load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    with open_arena(size) as arena:
        contestants = line_up(arena, say)
        expected = arena.content()
        say(f"{expected.database_bytes / 1e6:.0f} MB, {sum(expected.rows.values()):,} rows; warming up")
        warm_up(arena)
        rows: list[Row] = []
        for number in range(repeat):
            for contestant in contestants[number:] + contestants[:number]:
                rows += _told(turn(contestant, expected), say)
            rows += _told([check_small_tables(arena)], say)
    return medians(rows)


def _told(rows: Iterable[Row], say: Say) -> Iterator[Row]:
    for row in rows:
        say(f"{row.work:8} {row.who:32} {_shown(row)}")
        yield row


def line_up(arena: Arena, say: Say) -> list[Contestant]:
    """Who takes part."""
    return [
        flow(say),
        engine(arena),
        engine_with_defaults(arena),
        dump(arena),
        parallel_dump(arena),
        base_backup(arena),
        barman_cloud(arena),
    ]


def turn(contestant: Contestant, expected: Content) -> Iterator[Row]:
    """One backup and every restore of it."""
    if contestant.missing:
        yield Row("backup", contestant.who, None, None, contestant.missing)
        for who in contestant.restores:
            yield Row("restore", who, None, None, contestant.missing)
        return
    _settle()
    taken = contestant.back_up()
    try:
        if taken.stored_bytes <= 0:
            raise VerificationFailed(f"{contestant.who} stored nothing", "run it by hand")
        yield Row("backup", contestant.who, taken.seconds, taken.stored_bytes)
        for who, restore in contestant.restores.items():
            _settle()
            restored = restore(taken)
            require_same(who, expected, restored.content)
            yield Row("restore", who, restored.seconds, restored.content.database_bytes)
    finally:
        contestant.forget(taken)


def require_same(who: str, expected: Content, found: Content) -> None:
    """A benchmark that brings back nothing, or something else, must not give a number.

    Raises: VerificationFailed with the first table that differs.
    """
    if not expected.rows:
        raise VerificationFailed("the site has no tables", "run the benchmark again")
    for table in sorted({*expected.rows, *found.rows}):
        if found.rows.get(table) != expected.rows.get(table):
            raise VerificationFailed(
                f"{who} brought back {found.rows.get(table)} rows of {table}, not {expected.rows.get(table)}",
                "this run measured nothing; find out why before measuring again",
            )


def _settle() -> None:
    """What the one before wrote must not be on the bill of the next."""
    os.sync()


def _shown(row: Row) -> str:
    if row.seconds is None or row.bytes is None:
        return f"not measured: {row.why}"
    return f"{row.seconds:7.2f} s {row.bytes / 1e6:9.1f} MB"
