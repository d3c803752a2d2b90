"""One recovery at a time: a lock file that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from recovery.errors import Busy, SettingsInvalid
from recovery.ownership import make_state_folder, open_ours
from recovery.waiting import wait_until

_NAME_SECONDS = 10.0  # a holder writes its name right after it took the lease
_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length (0: to the end), process
_BUSY_NEXT = "wait for it, or stop that process; then run this again"

# Raises when the site is not ours any more; None where nothing has to be held.
_still_held: ContextVar[Callable[[], None] | None] = ContextVar("still_held", default=None)


@contextmanager
def acting_only_while(still_held: Callable[[], None]) -> Iterator[None]:
    """Have every action of the block ask first whether the site is still ours; `still_held` raises when it is not."""
    token = _still_held.set(still_held)
    try:
        yield
    finally:
        _still_held.reset(token)


def require_still_held() -> None:
    """Stop before an action when somebody else has taken this site over meanwhile. Raises: Busy."""
    if (ask := _still_held.get()) is not None:
        ask()


@contextmanager
def hold_lease(state_dir: Path, name: str) -> Iterator[None]:
    """Hold the lease of this site while the block runs.

    Raises: Busy when another process holds it; it says which. SettingsInvalid when this user may not write there.
    Ref.: fcntl(2), open file description locks: looking at one does not take it.
    """
    make_state_folder(state_dir)
    path = state_dir / f"{name}.lease"
    with open_ours(path, "a+") as file:
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, _lock())
        except BlockingIOError as error:
            raise Busy(f"another {name} is running here (process {_named(file)})", _BUSY_NEXT) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)  # still ours: the next holder must not be taken for us


def lease_holder(state_dir: Path, name: str) -> int | None:
    """The process that holds this lease now, or None. The kernel says it, not a note that a crash left.

    Waits: for a holder that has not written its name yet. Raises: Busy when it never does.
    """
    try:
        with (state_dir / f"{name}.lease").open("r") as file:
            free_or_named = wait_until(lambda: not _held(file) or _written(file), _NAME_SECONDS)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise SettingsInvalid(f"{error.filename} may not be read", "run this as the user it belongs to") from error
    if not free_or_named:
        raise Busy(f"somebody holds {file.name} and does not say who", "lslocks names the process; stop it")
    return None if free_or_named is True else free_or_named


def _held(file: IO[str]) -> bool:
    answer = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _lock())
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


def _named(file: IO[str]) -> str:
    return str(wait_until(lambda: _written(file), _NAME_SECONDS) or "unknown")


def _written(file: IO[str]) -> int:
    """The process that is written in it; 0 while there is none."""
    file.seek(0)
    return int(file.read().strip() or 0)


def _lock() -> bytes:
    return struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
