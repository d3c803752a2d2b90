"""A restored copy as a server: start it apart from everything live, follow its replay, promote it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.process import PROMPT_SECONDS, Host, failed
from recovery.environment import NO_FILE
from recovery.errors import CommandFailed, VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.redaction import redact

# As in the control file: a copy must not be smaller than its primary was.
_STOP_SECONDS = 60
# What pg_ctl says when there is nothing to stop: no data, no server, or one that died and left its note.
_NOT_RUNNING = ("does not exist", "No such process", "invalid data in PID file", "PID file is empty")
_PROMOTE_SECONDS = 300.0  # its end-of-recovery checkpoint writes all that was replayed
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

    def address(self, database: str = "") -> DatabaseAddress:
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
        self._host.run([*argv, "-o", options], timeout_seconds=PROMPT_SECONDS, outlives=True)

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
            # Once a round; long enough that who looks sees the server wait.
            "wal_retrieve_retry_interval": "1s",
            **self._sizes(),
        }

    def _sizes(self) -> dict[str, str]:
        shown = self._host.run(
            [self._program("pg_controldata"), "-D", self.places.data_dir], timeout_seconds=PROMPT_SECONDS
        ).stdout
        found = dict(re.findall(r"^(\w+) setting:\s+(\d+)$", shown, re.MULTILINE))
        # Twice the number: a later change on the primary must not stop the replay.
        return {_NAMES.get(name, name): str(max(2 * int(found.get(name, 0)), 10)) for name in _CONTROL_SETTINGS}


_CONFIGURATION = """# Generated for a restored copy.
log_startup_progress_interval = 500ms
log_min_messages = log
max_wal_size = 4GB
jit = off
"""


_LOAD_ERROR = re.compile(r"^pg_restore: error: (?:could not execute query: )?(?:ERROR:\s+)?(.+)$", re.MULTILINE)
_FORBIDDEN_BY_ROWS = re.compile(
    r"^(insert or update on table .* violates foreign key constraint|could not create unique index"
    r"|check constraint .* is violated by some row|column .* contains null values)"
)
_GONE_ON = "errors ignored on restore"  # so ends a load that went on past its errors, and only such a one


def dump_and_load(
    host: Host,
    bin_dir: Path,
    source: DatabaseAddress,
    into: DatabaseAddress,
    *,
    seconds: float,
    past_errors: bool = False,
) -> tuple[str, ...]:
    """Copy one database from a restored copy into a database of a running server; what could not be made, a line each.

    `past_errors`: go on when something cannot be made (a key that its rows break); else that ends it. The password of
    the receiving server is taken from PGPASSFILE; it is on no command line.
    Raises: CommandFailed.
    """
    dump = [
        bin_dir / "pg_dump",
        "-Fc",
        "-Z0",
        "-h",
        source.host,
        "-p",
        source.port,
        "-U",
        source.user,
        "-d",
        source.name,
    ]
    load = [bin_dir / "pg_restore", "-h", into.host, "-p", into.port, "-U", into.user, "-d", into.name]
    load += [] if past_errors else ["--exit-on-error"]
    argv = ["bash", "-o", "pipefail", "-c", f"{_line(dump)} | {_line(load)}"]
    with _password_file(host, source, into) as env:
        done = host.run(argv, timeout_seconds=seconds, env=env, check=False)
    faults = tuple(redact(line) for line in _LOAD_ERROR.findall(done.stderr))
    # Only what the rows themselves forbid may be left out: a table that was not filled is not "a key less".
    left_out = past_errors and _GONE_ON in done.stderr and "pg_dump: error" not in done.stderr
    if done.status and not (left_out and all(map(_FORBIDDEN_BY_ROWS.search, faults))):
        raise CommandFailed(
            f"copying the database into {into.name} failed{f': {faults[0]}' if faults else ''}",
            "read the lines above; the new database was removed, the live one is untouched",
            tuple(argv),
            done.status,
            done.last_lines,
        )
    return faults


def _line(words: Sequence[object]) -> str:
    return shlex.join(map(str, words))


@contextmanager
def _password_file(host: Host, source: DatabaseAddress, into: DatabaseAddress) -> Iterator[dict[str, str]]:
    """The receiving server's password where only its reader sees it, for as long as the block runs."""
    if into.password is None:
        yield {"PGPASSFILE": NO_FILE}
        return
    pgpass = Path(source.host).parent / "pgpass"
    password = into.password.replace("\\", "\\\\").replace(":", "\\:")
    files.write_text(host, pgpass, f"*:*:*:{into.user}:{password}\n")
    try:
        yield {"PGPASSFILE": str(pgpass)}
    finally:
        # Not checked: an error here would hide the load's own, and the file goes with the copy's folder anyway.
        host.run(["rm", "-f", pgpass], timeout_seconds=PROMPT_SECONDS, check=False)
