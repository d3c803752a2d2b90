"""Dumps: what ClickView had (pg_dump | gzip, psql), and the parallel ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arena import DATABASE, Arena
from benchmarks.measure import Contestant, Restored, Stopwatch, Taken, look_into
from benchmarks.scratch import Scratch, scratch

DUMP, PARALLEL_DUMP = "pg_dump | gzip, psql", "pg_dump -Fd -j2, pg_restore -j2"


def dump(arena: Arena) -> Contestant:
    """One compressed file of SQL, read back by psql."""
    return _contestant(_Dump(arena, DUMP, "dump.sql.gz", _dump_sql, _load_sql))


def parallel_dump(arena: Arena) -> Contestant:
    """A directory with a file per table, written and read two at a time."""
    return _contestant(_Dump(arena, PARALLEL_DUMP, "dump.d", _dump_directory, _load_directory))


@dataclass(frozen=True)
class _Dump:
    arena: Arena
    who: str
    file: str
    dump: Callable[[Arena, Path], None]
    load: Callable[[Scratch, Path], None]

    @property
    def path(self) -> Path:
        return self.arena.folder / self.file

    def back_up(self) -> Taken:
        clock = Stopwatch()
        self.dump(self.arena, self.path)
        return Taken(self.file, clock.stop(), self.arena.used_bytes(self.path))

    def restore(self, taken: Taken) -> Restored:
        """Into an empty database of a server that already runs; its start is not measured."""
        with scratch(self.arena, "dump") as server:
            _make_server(server)
            clock = Stopwatch()
            self.load(server, self.path)
            return Restored(clock.stop(), look_into(server.address()))

    def forget(self, taken: Taken) -> None:
        self.arena.remove(self.path)


def _dump_sql(arena: Arena, path: Path) -> None:
    arena.pipe([arena.program("pg_dump"), *arena.to_primary, "-d", DATABASE], ["gzip"], into=path)


def _load_sql(server: Scratch, path: Path) -> None:
    psql: list[str | Path] = [server.arena.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    server.arena.pipe(["gzip", "-dc", path], [*psql, *server.to_here, "-d", DATABASE])


def _dump_directory(arena: Arena, path: Path) -> None:
    arena.run([arena.program("pg_dump"), "-Fd", "-j2", "-f", path, *arena.to_primary, "-d", DATABASE])


def _load_directory(server: Scratch, path: Path) -> None:
    load: list[str | Path] = [server.arena.program("pg_restore"), "--exit-on-error", "-j2", *server.to_here]
    server.arena.run([*load, "-d", DATABASE, path])


def _make_server(server: Scratch) -> None:
    """A new server with the roles of the site and an empty database."""
    server.create()
    server.arena.run([server.arena.program("createdb"), *server.to_here, DATABASE])


def _contestant(one: _Dump) -> Contestant:
    return Contestant(one.who, one.back_up, {one.who: one.restore}, one.forget)
