"""The small PostgreSQL that Prefect keeps its records in: its own, on the loopback address, never the site's.

SQLite refuses up to every second submit while flows run; see docs/prefect-ui.md.
"""

from __future__ import annotations

import os
import pwd
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

from deployments.children import Child, dies_with_us, start_child, wait_until_ready
from deployments.place import Place
from deployments.processes import began_before
from recovery.adapters.files import remove_tree, write_text
from recovery.adapters.postgres.connection import connect
from recovery.adapters.process import PROMPT_SECONDS, Host, failed
from recovery.environment import program_environment
from recovery.errors import Interrupted, RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.facts import DatabaseAddress
from recovery.ownership import make_folder, open_ours, owner_of
from recovery.ports import release_ports, reserve_ports
from recovery.redaction import remember_secret
from recovery.waiting import wait_until

_USER = "prefect"
# After a crash it reads its WAL first; a slow disk must not be taken for a server that hangs.
_START_SECONDS = 150.0
_ORPHANS = "shared memory block"
_ORPHANS_SECONDS = 60.0
_STOP_SECONDS = 60.0  # it may be reading its WAL; one that hangs is killed
_LOOK_SECONDS = 10  # one look; who gets no answer looks again
_INITDB_OPTIONS = ("--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
}


class OwnPostgres:
    """A PostgreSQL cluster in the server's folder; `start` makes it when there is none."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.folder / "postgres"
        self.data_dir = self.folder / "data"
        self.port = 0
        self._user = place.run_as or "postgres" if os.geteuid() == 0 else None
        self.host = Host(_as_user(self._user))

    @property
    def address(self) -> DatabaseAddress:
        return DatabaseAddress("127.0.0.1", self.port, "postgres", _USER, self._password())

    @property
    def url(self) -> str:
        """The connection as Prefect wants to have it. Holds the password: environment only."""
        return f"postgresql+asyncpg://{_USER}:{self._password()}@127.0.0.1:{self.port}/postgres"

    def start(self, *, given_up: Callable[[], bool] = lambda: False) -> Child:
        """Start the server and wait until it answers, or the wait is given up.

        Waits: for the processes that a killed one left; they use the same memory and end within seconds.
        Raises: TargetUnreachable with its last words when it does not; Interrupted.
        """
        if not self.data_dir.exists():
            self._create()
        self._wait_for_predecessor(given_up)
        self.port = self.port or self._take_port()
        child = wait_until(
            lambda: self._try(given_up),
            _ORPHANS_SECONDS,
            so=lambda one: one.alive or given_up() or _ORPHANS not in one.last_words(),
            pause=1.0,
        )
        if not child.alive and given_up():
            raise _stopped()
        if not child.alive:
            raise TargetUnreachable(
                f"Prefect's own PostgreSQL does not start: {child.last_words()}", f"read {child.log}"
            )
        return child

    def _try(self, given_up: Callable[[], bool]) -> Child:
        """Start it; it lives when it answers."""
        child = start_child(
            "postgres",
            self._command(),
            environment=program_environment(),
            folder=self.place.folder,
            log=self.place.log_dir / "postgres.log",
            stop_signal=signal.SIGINT,
        )
        if not wait_until_ready(child, self.answers, _START_SECONDS, given_up=given_up):
            child.stop(_STOP_SECONDS if given_up() else 5)
        return child

    def give_back_port(self) -> None:
        """It is not started again: others may have its port."""
        release_ports(self.folder)

    def _take_port(self) -> int:
        self.give_back_port()  # what a killed one left
        return reserve_ports(self.folder, ["postgres"])["postgres"]

    def _command(self) -> list[str | Path]:
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        program = self.place.bin_dir / "postgres"
        # SIGINT is PostgreSQL's fast stop; SIGTERM would wait for the Prefect server to hang up. The
        # death signal comes after the change of user, which would clear it.
        return [*self.host.prefix, *dies_with_us("INT"), program, "-D", self.data_dir, "-p", str(self.port), *options]

    def answers(self) -> bool:
        """Whether a client can work with it now."""
        try:
            with connect(self.address, connect_seconds=_LOOK_SECONDS, statement_seconds=_LOOK_SECONDS) as connection:
                connection.execute("SELECT 1")
        except RecoveryError:
            return False
        return True

    def _create(self) -> None:
        """Make the cluster under another name first: a killed start leaves nothing that looks whole."""
        program = self.place.bin_dir / "initdb"
        if not program.exists():
            raise SettingsInvalid(
                f"there is no {program}", "install PostgreSQL (apt install postgresql), or correct database.bin_dir"
            )
        self._make_folder()
        unfinished, given = self.folder / "new", self.folder / "password"
        remove_tree(self.host, unfinished, inside=self.folder)
        write_text(self.host, given, self._password())
        self.host.run(
            [program, "-D", unfinished, "--pwfile", given, "-U", _USER, *_INITDB_OPTIONS],
            timeout_seconds=_START_SECONDS,
        )
        given.unlink()
        unfinished.rename(self.data_dir)

    def _make_folder(self) -> None:
        make_folder(self.folder, mode=0o700)
        if self._user:
            user = pwd.getpwnam(self._user)
            os.chown(self.folder, user.pw_uid, user.pw_gid, follow_symlinks=False)
        argv: list[str | Path] = ["test", "-w", self.folder]
        tested = self.host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
        if tested.status > 1 or tested.stderr:  # who could not become that user has not looked
            raise failed(argv, tested)
        if tested.status:
            raise SettingsInvalid(
                f"user {self._user} may not pass through to {self.folder}",
                "give the folders above it mode 0711, or choose another site.state_dir",
            )

    def _wait_for_predecessor(self, given_up: Callable[[], bool]) -> None:
        """A server that lost its parent is still writing its last checkpoint: let it end, or the wait is given up.

        What a crash left is removed when it names a program that is no PostgreSQL, or nothing: PostgreSQL would not
        start beside it. What names a process that is gone is PostgreSQL's own to judge: by it, it finds what
        that one left running. The lease of this folder is ours, so nobody else is just starting one.
        """
        lock = self.data_dir / "postmaster.pid"
        running = wait_until(lambda: running_postgres(lock), _START_SECONDS, so=lambda pid: pid is None or given_up())
        if running and given_up():
            raise _stopped()
        if running:
            raise TargetUnreachable(f"an older PostgreSQL still runs in {self.data_dir}", f"stop process {running}")
        if lock.exists() and not names_a_dead_process(lock):
            lock.unlink(missing_ok=True)

    def _password(self) -> str:
        file = self.place.folder / "database.password"
        if not file.exists():
            with open_ours(file, "x", rights=0o600) as out:
                out.write(secrets.token_urlsafe(24))
        try:
            return remember_secret(file.read_text())
        except PermissionError as error:
            raise SettingsInvalid(
                f"{file} belongs to {owner_of(file)}, who served here once",
                f"have root give it to whom {self.place.folder} belongs, with what else is {owner_of(file)}'s in there",
            ) from error


def _stopped() -> Interrupted:
    return Interrupted("asked to stop while starting", "run recover serve again")


def _as_user(user: str | None) -> tuple[str, ...]:
    """The words that run a command as this user: PostgreSQL refuses to run as root."""
    if user is None:
        return ()
    try:
        group = pwd.getpwnam(user).pw_gid
    except KeyError as error:
        raise SettingsInvalid(f"there is no user {user}", "name another in [server] run_as") from error
    return ("setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--")


def _lines(lock: Path) -> list[str]:
    """What is written in a postmaster.pid; nothing when there is none.

    Raises: SettingsInvalid when it cannot be read: a server may be running, and its lock must stay.
    """
    try:
        return lock.read_text().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"{lock} cannot be read: {error}", "see to it; a PostgreSQL may be running there, so nothing was changed"
        ) from error


def running_postgres(lock: Path) -> int | None:
    """The PostgreSQL that wrote this postmaster.pid, when it lives: not a program that has its number by now."""
    try:
        pid, data_dir, started = _lines(lock)[:3]
        words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):  # a process that is gone; no file, or an unfinished one
        return None
    return int(pid) if data_dir.encode() in words or began_before(int(pid), float(started)) else None


def names_a_dead_process(lock: Path) -> bool:
    """Whether the process that wrote this postmaster.pid is gone, and nobody else has its number."""
    try:
        pid = int(_lines(lock)[0])
    except (ValueError, IndexError):
        return False
    return pid > 0 and not Path(f"/proc/{pid}").exists()
