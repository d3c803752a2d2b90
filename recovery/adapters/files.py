"""Files on the host where a command runs: read, write, make, remove, measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.errors import GateRefused
from recovery.waiting import wait_until

_REMOVAL_SECONDS = 600.0  # many files on a slow disk
_WRITER_SECONDS = 30.0  # a process that is just ending may still write into the tree


def read_text(host: Host, path: Path, *, last_bytes: int | None = None) -> str:
    """The text of a file, or its last part; empty when there is no such file."""
    argv: list[str | Path] = ["cat", path] if last_bytes is None else ["tail", "-c", str(last_bytes), path]
    return host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False).stdout


def write_text(host: Host, path: Path, text: str, *, mode: str = "0600") -> None:
    """Write a file whole or not at all, with its mode set before its content."""
    beside = path.with_name(f".{path.name}.new")
    host.run(["install", "-m", mode, "/dev/null", beside], timeout_seconds=PROMPT_SECONDS)
    host.run(["tee", beside], stdin=text, timeout_seconds=PROMPT_SECONDS)
    host.run(["mv", "-f", beside, path], timeout_seconds=PROMPT_SECONDS)


def make_directory(host: Host, path: Path, *, mode: str = "0700") -> None:
    """Make a directory and its parents; one that exists is left as it is."""
    host.run(["mkdir", "-p", "-m", mode, path], timeout_seconds=PROMPT_SECONDS)


def make_new_directory(host: Host, path: Path) -> None:
    """Make a directory that is not there yet.

    Raises: CommandFailed when something is at this path.
    """
    host.run(["mkdir", "-m", "0700", path], timeout_seconds=PROMPT_SECONDS)


def empty_directories(host: Host, paths: Sequence[Path]) -> list[Path]:
    """Those of these paths that are directories (not links to one) with nothing in them."""
    shown = host.run(
        ["find", *paths, "-maxdepth", "0", "-type", "d", "-empty"], timeout_seconds=PROMPT_SECONDS, check=False
    )
    return [path for path in paths if str(path) in shown.stdout.split("\n")]


def real_paths(host: Host, paths: Sequence[Path]) -> list[Path]:
    """These paths without any link in them, whether they exist or not."""
    shown = host.run(["realpath", "-m", *paths], timeout_seconds=PROMPT_SECONDS)
    return [Path(line) for line in shown.stdout.split("\n")[:-1]]


def is_link(host: Host, path: Path) -> bool:
    """Whether this path is a symbolic link."""
    return host.run(["test", "-L", path], timeout_seconds=PROMPT_SECONDS, check=False).status == 0


def exists(host: Host, path: Path) -> bool:
    """Whether something is at this path."""
    return host.run(["test", "-e", path], timeout_seconds=PROMPT_SECONDS, check=False).status == 0


def remove_tree(host: Host, path: Path, *, inside: Path) -> None:
    """Remove a directory and all in it. It must lie inside the given scratch directory.

    The check protects from the empty variable that once removed a live data directory.
    """
    if inside not in path.parents or ".." in path.parts:
        raise GateRefused(
            f"{path} is not inside {inside}; it was not removed",
            "this is a fault in the program: report it with the journal of the run",
        )
    argv: list[str | Path] = ["rm", "-rf", "--one-file-system", path]

    def gone() -> bool:
        return host.run(argv, timeout_seconds=_REMOVAL_SECONDS, check=False).status == 0

    if not wait_until(gone, _WRITER_SECONDS, pause=0.5):
        host.run(argv, timeout_seconds=_REMOVAL_SECONDS)  # for what it says


def list_directory(host: Host, path: Path) -> list[str]:
    """The names in a directory; none when it does not exist."""
    listed = host.run(["ls", "-A", path], timeout_seconds=PROMPT_SECONDS, check=False)
    return listed.stdout.split("\n")[:-1] if listed.status == 0 else []


def free_bytes(host: Host, path: Path) -> int:
    """Free bytes for an ordinary user on the disk that holds the nearest existing parent."""
    while path != path.parent and not exists(host, path):
        path = path.parent
    shown = host.run(["df", "--output=avail", "-B1", path], timeout_seconds=PROMPT_SECONDS)
    return int(shown.stdout.split()[-1])


def used_bytes(host: Host, path: Path) -> int:
    """Bytes that a directory tree takes on disk; 0 when it does not exist."""
    shown = host.run(["du", "-s", "-B1", path], timeout_seconds=PROMPT_SECONDS, check=False)
    words = shown.stdout.split()
    return int(words[0]) if words else 0
