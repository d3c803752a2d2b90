"""The WAL archive by itself: fetch segments and read what is in them, without a copy and without the site's server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.pgbackrest import configuration, information
from recovery.adapters.pgbackrest.store import pgbackrest, question_seconds, run_pgbackrest, silence_option
from recovery.adapters.postgres.control_file import with_system_identifier
from recovery.adapters.postgres.recovered import CopyPlaces
from recovery.adapters.postgres.waldump import Dumped, dump_restore_points, read_moment
from recovery.adapters.process import Host
from recovery.errors import CommandFailed
from recovery.settings import Settings
from recovery.wal import RestorePoint, Segment

_SEGMENT_SECONDS = 120.0  # one segment; its repository may be far, or be asked again
_READ_SECONDS = 600.0  # a run of segments, on a slow disk
_MAKE_SECONDS = 120.0
# What archive-get ends with, and says, when it looked and there was no such segment.
_NOT_THERE, _NOT_FOUND = 1, "unable to find"


class ArchivedWal:
    """Segments of the archive, fetched into a scratch folder that passes for one of the site's servers.

    pgBackRest asks the folder's control file whose WAL is wanted. Any cluster of the same version
    serves once it bears the site's system identifier; the repository itself says what that is.
    """

    def __init__(
        self, settings: Settings, host: Host, scratch: configuration.Places, places: CopyPlaces, segment_bytes: int
    ) -> None:
        self._settings, self._host, self._scratch = settings, host, scratch
        self._data_dir, self._folder = places.data_dir, places.folder / "wal"
        self._places, self.segment_bytes = places, segment_bytes

    def prepare(self) -> None:
        """Make the folder that passes for one of the site's servers.

        Raises: CommandFailed, SettingsInvalid when no repository says whose WAL it holds.
        """
        identifier = self.require_answer()
        files.make_directory(self._host, self._folder)
        size = f"--wal-segsize={self.segment_bytes // 1024**2}"
        argv: list[str | Path] = [self._program("initdb"), "-D", self._data_dir, "-A", "reject", "--no-sync", size]
        self._host.run([*argv, "--locale=C"], timeout_seconds=_MAKE_SECONDS)
        control_file = self._data_dir / "global" / "pg_control"
        content = with_system_identifier(files.read_bytes(self._host, control_file), identifier)
        files.write_bytes(self._host, control_file, content)

    def require_answer(self) -> int:
        """Ask the archive whose WAL it holds: the site's system identifier.

        Raises: SettingsInvalid, TargetUnreachable, CommandFailed when no repository says it.
        """
        answer = self._settings.backup.answer_seconds
        told = self._run("info", "--output=json", silence_option(answer), seconds=question_seconds(answer))
        return information.read_system_identifier(told, self._settings.backup.stanza)

    def fetch(self, segment: str, under: Segment) -> bool:
        """Fetch one segment, under the name of another timeline; whether it was in the archive.

        Raises: CommandFailed when that could not be found out.
        """
        said: list[str] = []
        options = ["--no-archive-async", segment, str(self._file(under))]
        try:
            self._run("archive-get", *options, level="info", seconds=_SEGMENT_SECONDS, on_line=said.append)
        except CommandFailed as error:
            # Its words count too: a command prefix has statuses of its own, for a host that it did not reach.
            if error.status == _NOT_THERE and any(_NOT_FOUND in line for line in said):
                return False
            raise
        return True

    def restore_points(self, first: Segment, last: Segment) -> Dumped:
        """The restore points in a run of fetched segments.

        Raises: CommandFailed when they could not be read.
        """
        return dump_restore_points(
            self._host,
            self._program("pg_waldump"),
            self._folder,
            (first, last),
            segment_bytes=self.segment_bytes,
            seconds=_READ_SECONDS,
        )

    def dated(self, point: RestorePoint, timeline: int) -> RestorePoint:
        """A restore point of a fetched segment, with the moment at which it was made where its record says so."""
        segment = Segment.holding(timeline, point.lsn, self.segment_bytes)
        made_at = read_moment(self._host, self._file(segment), point, segment_bytes=self.segment_bytes)
        return replace(point, made_at=made_at)

    def forget(self, segment: Segment) -> None:
        """Remove a fetched segment."""
        files.remove_tree(self._host, self._file(segment), inside=self._places.folder)

    def _file(self, segment: Segment) -> Path:
        return self._folder / segment.name(self.segment_bytes)

    def _program(self, name: str) -> Path:
        return self._settings.database.bin_dir / name

    def _run(
        self,
        command: str,
        *options: str,
        seconds: float,
        level: str = "off",
        on_line: Callable[[str], None] | None = None,
    ) -> str:
        fixed = [f"--stanza={self._settings.backup.stanza}", f"--log-level-console={level}", "--log-level-stderr=error"]
        argv = pgbackrest(self._scratch, command, [*fixed, *options])
        return run_pgbackrest(self._host, argv, self._scratch, seconds=seconds, on_line=on_line).stdout
