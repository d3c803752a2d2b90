"""The place of the race: one sandbox that nobody writes to, and a folder for what the contestants make."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Content, look_into
from recovery.adapters import files
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.process import Completed, Host
from recovery.settings import Settings
from recovery.site import site as configured_site
from sandbox import services, site
from sandbox.layout import REGIONS, Sandbox

DATABASE = "clickview"
DEADLINE_SECONDS = 3600.0


@dataclass(frozen=True)
class Arena:
    """One site, the same for every contestant."""

    sandbox: Sandbox

    @property
    def host(self) -> Host:
        """Runs programs as the user of the servers."""
        return Host(self.sandbox.prefix)

    @property
    def settings(self) -> Settings:
        return configured_site().settings

    @property
    def folder(self) -> Path:
        """What the contestants make. In the sandbox's folder, so that it goes with it."""
        return self.sandbox.folder / "bench"

    def program(self, name: str) -> Path:
        """One of PostgreSQL's programs."""
        return self.sandbox.bin_dir / name

    @property
    def to_primary(self) -> list[str]:
        """How PostgreSQL's programs reach the primary."""
        return [
            "-h",
            str(self.sandbox.socket_dir("primary")),
            "-p",
            str(self.sandbox.ports["primary"]),
            "-U",
            "postgres",
        ]

    @property
    def passwords(self) -> dict[str, str]:
        """Where PostgreSQL's programs find the password."""
        return {"PGPASSFILE": str(self.folder / "pgpass")}

    def run(self, argv: list[str | Path], *, env: dict[str, str] | None = None) -> Completed:
        """Run a program as the servers' user, with a deadline."""
        return self.host.run(argv, timeout_seconds=DEADLINE_SECONDS, env={**self.passwords, **(env or {})})

    def pipe(self, *commands: list[str | Path], into: Path | None = None) -> Completed:
        """Run programs as a pipeline, the last one's output into a file."""
        from shlex import join

        line = " | ".join(join([str(word) for word in command]) for command in commands)
        line += f" > {join([str(into)])}" if into else ""
        return self.run(["bash", "-o", "pipefail", "-c", line])

    def remove(self, path: Path) -> None:
        """Remove what a contestant made."""
        files.remove_tree(self.host, path, inside=self.folder)

    def used_bytes(self, path: Path) -> int:
        """Bytes of the files below a path."""
        parts = path.rglob("*") if path.is_dir() else [path]
        return sum(part.stat().st_size for part in parts if part.is_file())

    def current_segment(self) -> str:
        """The WAL segment that the primary writes now."""
        with connect(self.sandbox.admin_address()) as connection:
            return str(one_row(connection, "SELECT pg_walfile_name(pg_current_wal_lsn())")[0])

    def content(self) -> Content:
        """What every restore must bring back."""
        return look_into(self.sandbox.admin_address(database=DATABASE))


@contextmanager
def open_arena(size: str) -> Iterator[Arena]:
    """A site of this size, gone at the end, however it ends."""
    folder = Path(tempfile.mkdtemp(prefix="clickview-bench-"))
    try:
        arena = Arena(site.up(folder, size=size))
        services.stop(services.find(arena.sandbox, "writer"))  # every contestant meets the same rows
        _vacuum(arena)
        os.environ["RECOVERY_CONFIG"] = str(arena.sandbox.settings_file)
        _pass_by_the_proxies(arena.sandbox)
        _make_folder(arena)
        yield arena
    finally:
        # A second Ctrl-C must not leave servers behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        site.down(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _vacuum(arena: Arena) -> None:
    """As autovacuum leaves a site after hours, and would do in the middle of the race."""
    with connect(arena.sandbox.admin_address(), statement_seconds=DEADLINE_SECONDS) as connection:
        connection.execute("VACUUM (ANALYZE)")


def _make_folder(arena: Arena) -> None:
    files.make_directory(arena.host, arena.folder)
    password = arena.sandbox.secret("postgres")
    files.write_text(arena.host, arena.folder / "pgpass", f"*:*:*:postgres:{password}\n")


def _pass_by_the_proxies(sandbox: Sandbox) -> None:
    """Let the repositories be reached directly: the proxies are there to be broken, not to be measured."""
    text = sandbox.settings_file.read_text()
    for side in REGIONS:
        text = text.replace(f"port = {sandbox.ports[f'proxy-{side}']}", f"port = {sandbox.ports[f's3-{side}']}")
    sandbox.settings_file.write_text(text)
    configured_site.cache_clear()
    configured_site().backups.write_configuration("postgres")
