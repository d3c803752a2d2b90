"""Throwaway sites of real servers. Whatever happens in a test, they are taken down."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect, one_row
from recovery.errors import SettingsInvalid
from sandbox import site
from sandbox.layout import Sandbox
from sandbox.removal import remove_everything

NewSandbox = Callable[..., Sandbox]

EVERYTHING = {
    "aws",
    "backend",
    "cluster",
    "heartbeat",
    "primary",
    "proxy",
    "redis",
    "s3-east",
    "s3-west",
    "standby",
    "writer",
}

# Not pytest's own temporary directory: its path is long, and closed to the servers' user.
_ROOM = Path("/tmp")
_PREFIX = "cvt"


@pytest.fixture(scope="session")
def sandbox_room() -> Iterator[Path]:
    """A folder for the sandboxes of this test run; what a killed run left is removed first."""
    from tests.conftest import require_programs

    require_programs("postgres", "pgbackrest", "redis-server", "setpriv")
    _sweep()
    room = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getpid()}-", dir=_ROOM))
    room.chmod(0o755)
    yield room
    _clear(room)


@pytest.fixture(scope="session")
def sandbox(sandbox_room: Path) -> Iterator[Sandbox]:
    """One prepared site for all tests that leave it as it was. No backup has been taken."""
    made = site.up(sandbox_room / "shared", transactions_per_second=5)
    yield made
    site.down(made.folder)


@pytest.fixture(scope="module")
def new_sandbox(sandbox_room: Path) -> Iterator[NewSandbox]:
    """Make further sites, with the options of `site.up`, for tests that break things."""
    made: list[Path] = []

    def make(**options: object) -> Sandbox:
        made.append(Path(tempfile.mkdtemp(prefix="site-", dir=sandbox_room)))
        return site.up(made[-1], **options)  # type: ignore[arg-type]

    yield make
    for folder in made:
        with suppress(SettingsInvalid):
            site.down(folder)


@pytest.fixture(scope="module")
def broken(new_sandbox: NewSandbox) -> Sandbox:
    """A prepared site that the faults of a module break and mend, one after the other."""
    return new_sandbox(transactions_per_second=10)


def ask(sandbox: Sandbox, query: str, *, server: str = "primary") -> Any:
    """One value, as superuser."""
    with connect(sandbox.admin_address(server)) as connection:
        return one_row(connection, query)[0]  # type: ignore[arg-type]


def _sweep() -> None:
    """Remove the sandboxes of test runs that were killed; one test process at a time does it."""
    with (_ROOM / f"{_PREFIX}.{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in _ROOM.glob(f"{_PREFIX}-*"):
            owner = old.name.split("-")[1]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                _clear(old)


def _clear(room: Path) -> None:
    # A sandbox's processes carry the mark of its own folder, not of the room.
    for folder in (*room.glob("*"), room):
        if folder.is_dir():
            remove_everything(folder)
    shutil.rmtree(room, ignore_errors=True)
