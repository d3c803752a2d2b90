"""A restored copy as a server: start it apart from everything live, follow its replay, promote it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.copy_settings import (
    configuration,
    enough,
    keeps_commit_moments,
    largest,
    limits_of_configuration,
    limits_of_control_file,
    recovery_settings,
)
from recovery.adapters.process import PROMPT_SECONDS, Host, failed
from recovery.errors import VerificationFailed
from recovery.facts import DatabaseAddress

_STOP_SECONDS = 60
# What pg_ctl says when there is nothing to stop: no data, no server, or one that died and left its note.
_NOT_RUNNING = ("does not exist", "No such process", "invalid data in PID file", "PID file is empty")
_PROMOTE_SECONDS = 300.0  # its end-of-recovery checkpoint writes all that was replayed


@dataclass(frozen=True)
class CopyPlaces:
    """Where a restored copy and everything that belongs to it is."""

    folder: Path

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def socket_dir(self) -> Path:
        return self.folder / "s"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def tablespace_dir(self) -> Path:
        return self.folder / "tablespaces"


class RecoveredServer:
    """The server of one restored copy. It listens on a socket of its own and never archives."""

    port = 5432  # only names the socket; nothing listens on the network

    def __init__(self, host: Host, places: CopyPlaces, bin_dir: Path, admin_user: str) -> None:
        self._host, self.places, self._bin_dir, self._admin = host, places, bin_dir, admin_user

    def address(self, database: str = "") -> DatabaseAddress:
        """How the copy is reached: as superuser, over the socket in its own 0700 directory."""
        return DatabaseAddress(str(self.places.socket_dir), self.port, database, self._admin, bare=True)

    def start(self, at_least: Mapping[str, int] | None = None) -> None:
        """Start replay. Returns at once; `follow_replay` watches it. `at_least`: limits that its primary is known to have."""
        self._write_configuration(at_least or {})
        self._begin_new_log()
        argv: list[str | Path] = [
            self._program("pg_ctl"),
            "start",
            "-W",
            "-D",
            self.places.data_dir,
            "-l",
            self.places.log_file,
            "-o",
            f"-c config_file={shlex.quote(str(self._config_file))}",
        ]
        self._host.run(argv, timeout_seconds=PROMPT_SECONDS, outlives=True)

    def start_again(self) -> None:
        """Stop, and go on with the replay under the limits that it met: the control file holds them by now."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Stop the copy. Idempotent.

        Raises: CommandFailed when it goes on running: its files must not be taken from under it.
        """
        if not self._runs():
            return
        argv: list[str | Path] = [
            self._program("pg_ctl"),
            "stop",
            "-m",
            "immediate",
            "-t",
            str(_STOP_SECONDS),
            "-D",
            self.places.data_dir,
        ]
        ended = self._host.run(argv, timeout_seconds=_STOP_SECONDS + 10, check=False)
        if ended.status and not any(words in ended.stderr for words in _NOT_RUNNING):
            raise failed(argv, ended)

    def _runs(self) -> bool:
        """Whether the process that its note names may be this copy's server: after a reboot that number is anybody's.

        A note that cannot be read says nothing: then pg_ctl is asked.
        """
        asked = '[ -e "$1" ] || exit 1; read -r pid <"$1" || exit 0; [ "/proc/$pid/cwd" -ef "$2" ]'
        argv: list[str | Path] = [
            "sh",
            "-c",
            asked,
            "sh",
            self.places.data_dir / "postmaster.pid",
            self.places.data_dir,
        ]
        return self._host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False).status == 0

    def promote(self, *, seconds: float = _PROMOTE_SECONDS) -> None:
        """End recovery: the copy becomes a server that can be written to. Idempotent."""
        with connect(self.address(), statement_seconds=seconds + 10) as connection:
            if not one_row(connection, "SELECT pg_is_in_recovery()")[0]:
                return
            if not one_row(connection, "SELECT pg_promote(true, %s)", (int(seconds),))[0]:
                raise VerificationFailed(
                    "the copy still replays WAL after its promotion", f"read {self.places.log_file}"
                )

    def log_text(self, last_bytes: int = 200_000) -> str:
        """The last part of the copy's log."""
        return files.read_text(self._host, self.places.log_file, last_bytes=last_bytes)

    def _program(self, name: str) -> Path:
        return self._bin_dir / name

    def keep_to_itself(self) -> None:
        """Leave nothing of the source's settings in force: only what pgBackRest wrote for the recovery.

        A scheduler that is preloaded, a command at the end of recovery, a log that is switched off are the source's.
        The original stays in the copy's folder, for people.
        Raises: VerificationFailed when there are no recovery settings.
        """
        file = self.places.data_dir / "postgresql.auto.conf"
        text = files.read_text(self._host, file)
        files.write_text(self._host, self.places.folder / "source.postgresql.auto.conf", text)
        files.write_text(self._host, file, recovery_settings(text))

    def _write_configuration(self, at_least: Mapping[str, int]) -> None:
        files.make_directory(self._host, self.places.socket_dir)
        folder = self.places.folder
        # Trust is safe here: the socket lies in a directory that only this user (and root) can enter.
        files.write_text(self._host, folder / "pg_hba.conf", "local all all trust\n")
        files.write_text(self._host, folder / "pg_ident.conf", "")
        shown = self._control_file()
        text = configuration(
            folder,
            self.places.socket_dir,
            self.port,
            enough(self._limits(shown), at_least),
            commit_moments=keeps_commit_moments(shown),
        )
        files.write_text(self._host, self._config_file, text)

    @property
    def _config_file(self) -> Path:
        return self.places.folder / "postgresql.conf"

    def _control_file(self) -> str:
        argv: list[str | Path] = [self._program("pg_controldata"), "-D", self.places.data_dir]
        return self._host.run(argv, timeout_seconds=PROMPT_SECONDS).stdout

    def _limits(self, shown: str) -> dict[str, int]:
        """What is known of the primary's limits: from the control file, and from an earlier start of this copy."""
        before = limits_of_configuration(files.read_text(self._host, self._config_file))
        return largest(limits_of_control_file(shown), before)

    def _begin_new_log(self) -> None:
        """What an earlier start wrote must not be taken for what this one says."""
        log = self.places.log_file
        if files.exists(self._host, log):
            self._host.run(["mv", "-f", log, log.with_suffix(".log.before")], timeout_seconds=PROMPT_SECONDS)
