"""A throwaway server over a restored or a new data directory, apart from everything live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arena import DATABASE, DEADLINE_SECONDS, Arena
from recovery.adapters import files
from recovery.adapters.postgres.connection import connect, one_row
from recovery.errors import TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress

_POLL_SECONDS = 0.05
_PORT = 5432  # only names the socket


@dataclass(frozen=True)
class Scratch:
    """The server of one contestant."""

    arena: Arena
    folder: Path

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def socket_dir(self) -> Path:
        return self.folder / "s"

    @property
    def to_here(self) -> list[str]:
        """How PostgreSQL's programs reach it."""
        return ["-h", str(self.socket_dir), "-p", str(_PORT), "-U", "postgres"]

    def address(self, database: str = DATABASE) -> DatabaseAddress:
        return DatabaseAddress(str(self.socket_dir), _PORT, database, "postgres")

    def create(self) -> None:
        """A new server with the roles of the site, started."""
        arena = self.arena
        initdb: list[str | Path] = [arena.program("initdb"), "-D", self.data_dir, "-U", "postgres", "-A", "trust"]
        arena.run([*initdb, "--data-checksums", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8"])
        self.start()
        roles: list[str | Path] = [arena.program("pg_dumpall"), "--roles-only", *arena.to_primary]
        # No ON_ERROR_STOP: the role postgres is there already.
        arena.pipe(roles, [arena.program("psql"), "-X", "-q", *self.to_here, "-d", "postgres"])

    def start(self, env: dict[str, str] | None = None) -> None:
        """Start it and wait until it can be written to: recovered and promoted."""
        options = " ".join(f"-c {name}={value}" for name, value in self._options().items())
        argv: list[str | Path] = [self.arena.program("pg_ctl"), "start", "-w", "-t", "600", "-D", self.data_dir]
        argv += ["-l", self.folder / "log", "-o", options]
        self.arena.host.run(argv, timeout_seconds=DEADLINE_SECONDS, env=env, outlives=True)
        self._wait_until_writable()

    def stop(self) -> None:
        """Stop it. Idempotent."""
        argv: list[str | Path] = [self.arena.program("pg_ctl"), "stop", "-m", "immediate", "-D", self.data_dir]
        self.arena.host.run(argv, timeout_seconds=90, check=False)

    def _options(self) -> dict[str, str]:
        return {
            "unix_socket_directories": str(self.socket_dir),
            "port": str(_PORT),
            "listen_addresses": "",
            "hba_file": str(self.folder / "pg_hba.conf"),
            "archive_mode": "off",
            "primary_conninfo": "",
            "primary_slot_name": "",
            "shared_buffers": "128MB",
            "max_wal_size": "4GB",
            "wal_retrieve_retry_interval": "200ms",
        }

    def _wait_until_writable(self) -> None:
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            try:
                with connect(self.address("postgres"), connect_seconds=2) as connection:
                    if not one_row(connection, "SELECT pg_is_in_recovery()")[0]:
                        return
            except TargetUnreachable:
                pass  # it starts
            time.sleep(_POLL_SECONDS)
        raise VerificationFailed("a restored server did not end its recovery", f"read {self.folder}/log")


@contextmanager
def scratch(arena: Arena, name: str) -> Iterator[Scratch]:
    """A place for a server, stopped and removed at the end."""
    server = Scratch(arena, arena.folder / name)
    for directory in (server.folder, server.data_dir, server.socket_dir):
        files.make_directory(arena.host, directory)
    # Trust is safe here: the socket lies in a directory that only the servers' user can enter.
    files.write_text(arena.host, server.folder / "pg_hba.conf", "local all all trust\n")
    try:
        yield server
    finally:
        server.stop()
        arena.remove(server.folder)
