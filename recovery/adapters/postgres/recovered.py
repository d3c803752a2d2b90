"""A restored copy as a server: start it apart from everything live, follow its replay, promote it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.process import Host
from recovery.errors import CommandFailed, RecoveryError, TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress, Progress, ReachedPoint, RecoveryTarget, TargetKind
from recovery.wal import format_lsn, parse_lsn

_POLL_SECONDS = 0.1
_STANDSTILL_SECONDS = 20.0
_QUIET_SECONDS = 0.6
_STOPPING = re.compile(r"recovery stopping ((?:before|after|at)\b.*)")
_FATAL = re.compile(r"(?:FATAL|PANIC):  (.*)")
_RESTORED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')
_LAST_COMMIT = re.compile(r"last completed transaction was at log time (\S+ \S+)")
# As in the control file: a copy must not be smaller than its primary was.
_CONTROL_SETTINGS = (
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_xacts",
    "max_locks_per_xact",
)
_NAMES = {"max_prepared_xacts": "max_prepared_transactions", "max_locks_per_xact": "max_locks_per_transaction"}


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

    def address(self, database: str = "postgres") -> DatabaseAddress:
        """How the copy is reached: as superuser, over the socket in its own 0700 directory."""
        return DatabaseAddress(str(self.places.socket_dir), self.port, database, self._admin)

    def start(self) -> None:
        """Start replay. Returns at once; `follow` watches it."""
        self._write_configuration()
        options = " ".join(f"-c {name}={value}" for name, value in self._overrides().items())
        argv: list[str | Path] = [
            self._program("pg_ctl"),
            "start",
            "-W",
            "-D",
            self.places.data_dir,
            "-l",
            self.places.log_file,
        ]
        self._host.run([*argv, "-o", options], timeout_seconds=60, outlives=True)

    def stop(self) -> None:
        """Stop the copy. Idempotent."""
        argv: list[str | Path] = [
            self._program("pg_ctl"),
            "stop",
            "-m",
            "immediate",
            "-t",
            "60",
            "-D",
            self.places.data_dir,
        ]
        self._host.run(argv, timeout_seconds=70, check=False)

    def follow(
        self, target: RecoveryTarget, last_segment: str, seconds: float, on_progress: Callable[[Progress], None]
    ) -> ReachedPoint:
        """Watch the replay until the target is reached, and prove that it is.

        Waits: up to the deadline. Raises: VerificationFailed when replay ended, or stands still, before it.
        """
        watch = _Replay(self, target, last_segment, on_progress)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if watch.arrived():
                return watch.reached()
            time.sleep(_POLL_SECONDS)
        raise VerificationFailed(
            f"replay did not reach {target} within {seconds:.0f} s (at {watch.position})",
            "raise restore.start_seconds in recovery.toml, or restore from a newer backup (--backup-id)",
        )

    def promote(self, *, seconds: float = 300) -> None:
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

    def _write_configuration(self) -> None:
        files.make_directory(self._host, self.places.socket_dir)
        folder = self.places.folder
        # Trust is safe here: the socket lies in a directory that only this user (and root) can enter.
        files.write_text(self._host, folder / "pg_hba.conf", "local all all trust\n")
        files.write_text(self._host, folder / "pg_ident.conf", "")
        files.write_text(self._host, folder / "postgresql.conf", _CONFIGURATION)

    def _overrides(self) -> dict[str, str]:
        """Settings that must hold whatever postgresql.auto.conf of the backup says."""
        folder = self.places.folder
        return {
            "config_file": str(folder / "postgresql.conf"),
            "hba_file": str(folder / "pg_hba.conf"),
            "ident_file": str(folder / "pg_ident.conf"),
            "unix_socket_directories": str(self.places.socket_dir),
            "port": str(self.port),
            "listen_addresses": "",
            "archive_mode": "off",
            "primary_conninfo": "",  # a set of a former standby would follow the live primary
            "primary_slot_name": "",
            "synchronous_standby_names": "",
            "recovery_min_apply_delay": "0",
            "hot_standby": "on",
            "ssl": "off",
            "logging_collector": "off",
            "log_destination": "stderr",
            "lc_messages": "C",
            "wal_retrieve_retry_interval": "200ms",
            **self._sizes(),
        }

    def _sizes(self) -> dict[str, str]:
        shown = self._host.run([self._program("pg_controldata"), "-D", self.places.data_dir], timeout_seconds=30).stdout
        found = dict(re.findall(r"^(\w+) setting:\s+(\d+)$", shown, re.MULTILINE))
        # Twice the number: a later change on the primary must not stop the replay.
        return {_NAMES.get(name, name): str(max(2 * int(found.get(name, 0)), 10)) for name in _CONTROL_SETTINGS}


_CONFIGURATION = """# Generated for a restored copy.
log_startup_progress_interval = 500ms
log_min_messages = log
max_wal_size = 4GB
jit = off
"""


class _Replay:
    """One look after another at a replaying server."""

    def __init__(
        self,
        server: RecoveredServer,
        target: RecoveryTarget,
        last_segment: str,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._server, self._target, self._last_segment = server, target, last_segment
        self._on_progress = on_progress
        self._log = ""
        self._lsn = 0
        self._moved_at = time.monotonic()
        self._last_commit_at: datetime | None = None

    @property
    def position(self) -> str:
        return format_lsn(self._lsn)

    def arrived(self) -> bool:
        self._log = self._server.log_text()
        self._refuse_a_dead_server()
        paused = self._look()
        if paused is None:
            return False
        self._on_progress(Progress("replay", detail=f"at LSN {self.position}, commit {self._last_commit_at or '…'}"))
        if self._target.kind is not TargetKind.LATEST:
            return paused
        return self._end_of_archive()

    def reached(self) -> ReachedPoint:
        self._log = self._server.log_text()  # the words come a moment before the pause shows
        stopping = _STOPPING.findall(self._log)
        latest = self._target.kind is TargetKind.LATEST
        if not latest and not stopping:
            raise VerificationFailed(
                f"the copy paused, but its log does not say that it stopped at {self._target}",
                f"read {self._server.places.log_file}; the copy must not be trusted",
            )
        restored = _RESTORED.findall(self._log)
        proof = f"replayed to the end of the archive ({restored[-1]})" if latest and restored else ""
        return ReachedPoint(
            self._lsn,
            int(restored[-1][:8], 16) if restored else 0,
            self._last_commit_at,
            None,
            proof or (f"recovery stopping {stopping[-1]}" if stopping else "replayed to the end of the archive"),
        )

    def _look(self) -> bool | None:
        """Whether replay is paused; None while the server does not answer yet."""
        try:
            with connect(self._server.address(), connect_seconds=2, statement_seconds=10) as connection:
                return self._read(connection)
        except TargetUnreachable:
            return None

    def _read(self, connection: Connection) -> bool:
        row = one_row(
            connection,
            """SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(),
                      CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END""",
        )
        lsn = parse_lsn(row[0] or "0/0")
        if lsn != self._lsn:
            self._lsn, self._moved_at = lsn, time.monotonic()
        self._last_commit_at = row[1].astimezone(UTC) if row[1] else None
        if row[2] is None:
            raise VerificationFailed(
                "the copy ended its recovery by itself, before it was asked to", "do not use it; run this again"
            )
        return bool(row[2] == "paused")

    def _end_of_archive(self) -> bool:
        still = time.monotonic() - self._moved_at
        restored = _RESTORED.findall(self._log)
        # Timeline digits differ along a switch; the place on the way is what counts.
        if restored and restored[-1][8:] >= self._last_segment[8:]:
            return still > _QUIET_SECONDS
        if still > _STANDSTILL_SECONDS:
            raise VerificationFailed(
                f"replay stands still at {self.position}, before the last archived segment {self._last_segment}",
                "a WAL segment is missing or unreadable: run recover backup check, then restore to a moment before the gap",
            )
        return False

    def _refuse_a_dead_server(self) -> None:
        fatal = [
            text for text in _FATAL.findall(self._log) if "starting up" not in text and "not yet accept" not in text
        ]
        if not fatal or "database system is shut down" not in self._log:
            return
        commits = _LAST_COMMIT.findall(self._log)
        raise _replay_error(fatal[0], commits[-1] if commits else "", self._target)


def _replay_error(fatal: str, last_commit: str, target: RecoveryTarget) -> RecoveryError:
    if "ended before configured recovery target" in fatal:
        reached = f"; the last transaction there is from {last_commit}" if last_commit else ""
        return VerificationFailed(
            f"the archive ends before {target}{reached}",
            "ask for an earlier moment, or wait until newer WAL is archived",
        )
    if "is not a child of this server's history" in fatal or "not in this server's history" in fatal:
        return VerificationFailed(
            f"the backup and {target} lie on different timelines: {fatal}",
            "name the set (--backup-id) or --target-timeline",
        )
    return VerificationFailed(
        f"the copy stopped while replaying WAL: {fatal}", "read its log in the run's journal folder"
    )


def dump_and_load(host: Host, bin_dir: Path, source: DatabaseAddress, into: DatabaseAddress, *, seconds: float) -> None:
    """Copy one database from a restored copy into a database of a running server.

    The password of the receiving server is taken from PGPASSFILE; it is on no command line.
    Raises: CommandFailed.
    """
    dump = f"{bin_dir}/pg_dump -Fc -Z0 -h {source.host} -p {source.port} -U {source.user} -d {source.name}"
    load = f"{bin_dir}/pg_restore --exit-on-error -h {into.host} -p {into.port} -U {into.user} -d {into.name}"
    argv = ["bash", "-o", "pipefail", "-c", f"{dump} | {load}"]
    if into.password is None:
        host.run(argv, timeout_seconds=seconds)
        return
    pgpass = Path(source.host).parent / "pgpass"
    password = into.password.replace("\\", "\\\\").replace(":", "\\:")
    files.write_text(host, pgpass, f"*:*:*:{into.user}:{password}\n")
    try:
        host.run(argv, timeout_seconds=seconds, env={"PGPASSFILE": str(pgpass)})
    except CommandFailed as error:
        raise CommandFailed(
            f"copying the database into {into.name} failed",
            "read the lines above; the new database was removed, the live one is untouched",
            error.argv,
            error.status,
            error.last_lines,
        ) from error
    finally:
        host.run(["rm", "-f", pgpass], timeout_seconds=30, check=False)
