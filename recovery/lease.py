"""One recovery at a time: a lock file that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.errors import Busy


@contextmanager
def hold_lease(state_dir: Path, name: str) -> Iterator[None]:
    """Hold the lease of this site while the block runs.

    Raises: Busy when another process holds it; it says which.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / f"{name}.lease"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise Busy(
                f"another {name} is running here (process {file.read().strip() or 'unknown'})",
                "wait for it, or stop that process; then run this again",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def lease_holder(state_dir: Path, name: str) -> int | None:
    """The process that holds this lease now, or None. The kernel says it, not a note that a crash left."""
    try:
        with (state_dir / f"{name}.lease").open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0)
    except FileNotFoundError:
        return None
    return None
