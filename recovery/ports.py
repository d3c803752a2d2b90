"""TCP ports of this machine for servers that must be told theirs before they start.

A port that is merely free now may be somebody else's a moment later. So these come from a range below
the one that the kernel takes outgoing connections from, and each is written down for the folder it is
for, before it is used. It goes back when that folder gives it back, or is no longer there.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from recovery.errors import SettingsInvalid

RANGE = range(20000, 32000)

_Reserved = dict[int, str]


def reserve_ports(owner: Path, names: Sequence[str], *, registry: Path | None = None) -> dict[str, int]:
    """A free port for every name, all different, kept for this folder until it gives them back.

    Raises: SettingsInvalid when there are no more.
    """
    with _registry(registry or _usual_registry(owner)) as reserved:
        candidates = iter(random.sample(RANGE, len(RANGE)))
        ports = {}
        for name in names:
            port = next((port for port in candidates if port not in reserved and is_free(port)), None)
            if port is None:
                raise SettingsInvalid("no TCP port is free on this machine", "stop servers that nobody needs")
            ports[name] = port
            reserved[port] = str(owner)
    return ports


def release_ports(owner: Path, *, registry: Path | None = None) -> None:
    """Give back every port of this folder."""
    path = registry or _usual_registry(owner)
    if not path.exists():
        return
    with _registry(path) as reserved:
        for port in [port for port, known in reserved.items() if known == str(owner)]:
            del reserved[port]


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback address now."""
    return bind_error(socket.AF_INET, ("127.0.0.1", port)) is None


def bind_error(family: int, address: tuple[Any, ...]) -> OSError | None:
    """Why a server could not listen at this address now; None when it could."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what lingers is no listener
            if family == socket.AF_INET6:  # as servers do, too
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:  # also when this machine has no such addresses at all
        return error
    return None


def _usual_registry(owner: Path) -> Path:
    """One for all sites of this user; where that cannot be trusted or written, the folder has its own."""
    shared = Path(f"/tmp/clickview-ports-{os.geteuid()}.json")
    try:
        ours = shared.lstat().st_uid == os.geteuid()
    except FileNotFoundError:
        ours = os.access(shared.parent, os.W_OK)
    return shared if ours else owner / "ports.json"


@contextmanager
def _registry(path: Path) -> Iterator[_Reserved]:
    """What is reserved, read and written under a lock. Folders that are gone have no ports."""
    with _locked(path) as file:
        reserved = {int(port): owner for port, owner in _read(file).items() if Path(owner).exists()}
        yield reserved
        if not reserved:
            path.unlink()
            return
        _replace(path, json.dumps(reserved))


def _replace(path: Path, text: str) -> None:
    """The file with this text, whole or not at all; under a name on the way that nobody can take before us."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.", delete=False) as new:
        try:
            new.write(text)
            new.flush()
            Path(new.name).replace(path)
        except OSError:  # a full disk must not cost what was reserved
            Path(new.name).unlink(missing_ok=True)
            raise


def _read(file: IO[str]) -> dict[str, str]:
    try:
        return dict(json.load(file))
    except ValueError:  # new, or its last writer was killed
        return {}


@contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file):
                yield file
                return


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether this is the file of that name; its last user may just have removed it."""
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
