"""pgBackRest by itself: the same commands that our flows run, with nothing around them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.arena import Arena
from benchmarks.measure import Contestant, Restored, Stopwatch, Taken, look_into
from benchmarks.scratch import scratch
from recovery.adapters import files
from recovery.adapters.pgbackrest.configuration import (
    Places,
    live_places,
    scratch_configuration,
    secrets_configuration,
)
from recovery.adapters.pgbackrest.store import pgbackrest
from recovery.errors import VerificationFailed
from recovery.site import site

ENGINE, ENGINE_DEFAULTS = "pgbackrest, same options", "pgbackrest, its defaults"


def engine(arena: Arena) -> Contestant:
    """pgBackRest with the options of our flows."""
    return _contestant(_Engine(arena, ENGINE, ("--backup-standby",), ()))


def engine_with_defaults(arena: Arena) -> Contestant:
    """pgBackRest as it comes: gzip 6, one process, file by file, from the primary."""
    one_process = ("--process-max=1",)
    plain = ("--compress-type=gz", "--compress-level=6", "--no-repo1-bundle", *one_process)
    return _contestant(_Engine(arena, ENGINE_DEFAULTS, plain, one_process))


def warm_up(arena: Arena) -> None:
    """A set that stays: the others can then be dropped after their turn. Also fills the page cache."""
    engine(arena).back_up()


@dataclass(frozen=True)
class _Engine:
    arena: Arena
    who: str
    backup_options: tuple[str, ...]
    restore_options: tuple[str, ...]

    def back_up(self) -> Taken:
        known = {one.label for one in site().backups.read_sets(1)}
        clock = Stopwatch()
        self._run(live_places(self.arena.settings), "backup", "--type=full", "--repo=1", *self.backup_options)
        seconds = clock.stop()
        new = [one for one in site().backups.read_sets(1) if one.label not in known]
        if not new:
            raise VerificationFailed("pgBackRest took no backup", "run it by hand")
        return Taken(new[-1].label, seconds, new[-1].repo_bytes)

    def restore(self, taken: Taken) -> Restored:
        with scratch(self.arena, "engine") as server:
            places = self._configure(server.folder, server.data_dir)
            clock = Stopwatch()
            options = ("--archive-mode=off", "--type=immediate", "--target-action=promote", *self.restore_options)
            self._run(places, "restore", "--repo=1", f"--set={taken.name}", *options)
            server.start()
            return Restored(clock.stop(), look_into(server.address()))

    def forget(self, taken: Taken) -> None:
        site().backups.expire(1, label=taken.name)

    def _configure(self, folder: Path, data_dir: Path) -> Places:
        """A configuration for the copy only: a restore empties the spool of its stanza."""
        places, backup, host = Places(folder / "pgbackrest"), self.arena.settings.backup, self.arena.host
        for directory in places.directories:
            files.make_directory(host, directory)
        text = scratch_configuration(backup, backup.repos, places, data_dir)
        files.write_text(host, places.config_file, text)
        secrets = secrets_configuration(backup, backup.repos, site().secrets.reveal)
        files.write_text(host, places.secrets_file, secrets)
        return places

    def _run(self, places: Places, command: str, *options: str) -> None:
        stanza = f"--stanza={self.arena.settings.backup.stanza}"
        argv = pgbackrest(places, command, [stanza, "--log-level-console=warn", *options])
        self.arena.run([*argv], env={"PGPASSFILE": str(live_places(self.arena.settings).pgpass_file)})


def _contestant(one: _Engine) -> Contestant:
    return Contestant(one.who, one.back_up, {one.who: one.restore}, one.forget)
