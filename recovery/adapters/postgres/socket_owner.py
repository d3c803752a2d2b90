"""Over a Unix socket PostgreSQL may ask the kernel who is calling (peer). Root calls as the user whom the server runs as.

So `recover` typed by root, whose commands run behind `runuser -u postgres --`, is to the server what it is when
postgres types it.

The kernel clears two things of a thread that changes its user: the signal that it gets when its parent dies, and
whether its process may dump core. Nothing of ours relies on either: our programs set theirs themselves (setpriv), and
none that has one is root's and calls here.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.stopping import finishing

# The library's setresuid() changes every thread of the process; the kernel's own call changes the one that calls, and
# what the server is told is the user of the thread that connects. Ref.: unix(7), SO_PEERCRED; nptl(7).
_SETRESUID = (
    {"x86_64": 117, "aarch64": 147, "riscv64": 147, "ppc64le": 164, "s390x": 208}
    if sys.maxsize > 2**32
    else {"x86_64": 208, "i686": 208, "aarch64": 208, "armv7l": 208}  # a 32-bit Python, whatever the kernel is
)
_KEEP = -1


@contextmanager
def calling_as_its_owner(host: object, port: object) -> Iterator[None]:
    """While this lasts, this thread of root's is the user to whom the server's socket belongs; nobody else changes."""
    owner = _owner_of_socket(str(host), port)
    number = _SETRESUID.get(platform.machine())
    if os.geteuid() != 0 or not owner or number is None:
        yield
        return
    try:
        try:
            with finishing():  # a stop comes when it is certain who we are
                _become(number, owner)
            yield
        finally:
            _become_root(number)
    finally:  # a stop may come just before the other one, and only once
        _become_root(number)


def _become_root(number: int) -> None:
    if not _become(number, 0):
        os.abort()  # cannot be: root is still the thread's real user. Going on as somebody else would be worse


def _owner_of_socket(folder: str, port: object) -> int | None:
    """Who made this socket; None for another kind of address, or when there is none."""
    if not folder.startswith("/"):
        return None
    try:
        return Path(folder, f".s.PGSQL.{port}").stat().st_uid
    except OSError:  # the client library says what is amiss with it
        return None


def _become(number: int, user: int) -> bool:
    words = [ctypes.c_long(word) for word in (number, _KEEP, user, _KEEP)]
    return bool(ctypes.CDLL(None, use_errno=True).syscall(*words) == 0)
