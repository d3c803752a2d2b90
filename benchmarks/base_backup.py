"""pg_basebackup: one compressed tar with the WAL it needs, unpacked and started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.arena import Arena
from benchmarks.measure import Contestant, Restored, Stopwatch, Taken, look_into
from benchmarks.scratch import scratch

BASE_BACKUP = "pg_basebackup, untar"


def base_backup(arena: Arena) -> Contestant:
    """A copy of the whole server on the local disk, not encrypted."""
    one = _BaseBackup(arena)
    return Contestant(BASE_BACKUP, one.back_up, {BASE_BACKUP: one.restore}, one.forget)


@dataclass(frozen=True)
class _BaseBackup:
    arena: Arena

    @property
    def path(self) -> Path:
        return self.arena.folder / "base"

    def back_up(self) -> Taken:
        argv: list[str | Path] = [self.arena.program("pg_basebackup"), "-D", self.path, "-Ft", "-X", "fetch"]
        argv += ["--compress=server-zstd:level=3,workers=2", "-c", "fast", *self.arena.to_primary]
        clock = Stopwatch()
        self.arena.run(argv)
        return Taken("base.tar.zst", clock.stop(), self.arena.used_bytes(self.path))

    def restore(self, taken: Taken) -> Restored:
        with scratch(self.arena, "base-restored") as server:
            clock = Stopwatch()
            self.arena.pipe(["zstd", "-dcq", self.path / taken.name], ["tar", "-x", "-C", server.data_dir])
            server.start()
            return Restored(clock.stop(), look_into(server.address()))

    def forget(self, taken: Taken) -> None:
        self.arena.remove(self.path)
