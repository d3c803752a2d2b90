"""Files on the host where a command runs: read, write, make, remove, measure.

"There is nothing at this path" is only what the program itself says in so many words. A closed directory, a
host that is not reached, a container that is down end with the same exit status, and are errors.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from recovery.adapters.process import PROMPT_SECONDS, Completed, Host, failed
from recovery.errors import GateRefused
from recovery.waiting import wait_until

_REMOVAL_SECONDS = 600.0  # many files on a slow disk
_WRITER_SECONDS = 30.0  # a process that is just ending may still write into the tree


def read_text(host: Host, path: Path, *, last_bytes: int | None = None) -> str:
    """The text of a file, or its last part; empty when there is no such file.

    Raises: CommandFailed when it cannot be read.
    """
    argv: list[str | Path] = ["cat", path] if last_bytes is None else ["tail", "-c", str(last_bytes), path]
    read = _answer(host, argv)
    return read.stdout if read else ""


def read_bytes(host: Host, path: Path, *, at: int = 0, count: int | None = None) -> bytes:
    """The bytes of a file, or `count` of them from a position on; it must be there."""
    part = [] if count is None else ["-N", str(count)]
    argv: list[str | Path] = ["od", "-An", "-v", "-tx1", "-j", str(at), *part, path]
    return bytes.fromhex(host.run(argv, timeout_seconds=PROMPT_SECONDS).stdout)


def write_bytes(host: Host, path: Path, content: bytes) -> None:
    """Overwrite a file of our own with bytes."""
    argv: list[str | Path] = ["sh", "-c", 'base64 -d >"$1"', "sh", path]
    host.run(argv, timeout_seconds=PROMPT_SECONDS, stdin=base64.b64encode(content).decode())


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
    """Those of these paths that are directories (not links to one) with nothing in them.

    Raises: CommandFailed when that cannot be seen.
    """
    looked = ((path, _answer(host, ["find", path, "-maxdepth", "0", "-type", "d", "-empty"])) for path in paths)
    return [path for path, shown in looked if shown and shown.stdout]


def real_paths(host: Host, paths: Sequence[Path]) -> list[Path]:
    """These paths without any link in them, whether they exist or not."""
    shown = host.run(["realpath", "-m", *paths], timeout_seconds=PROMPT_SECONDS)
    return [Path(line) for line in shown.stdout.split("\n")[:-1]]


def is_link(host: Host, path: Path) -> bool:
    """Whether this path is a symbolic link.

    Raises: CommandFailed when that cannot be seen.
    """
    shown = _answer(host, ["stat", "-c", "%F", path])
    return shown is not None and shown.stdout.strip() == "symbolic link"


def exists(host: Host, path: Path) -> bool:
    """Whether something is at this path.

    Raises: CommandFailed when that cannot be seen.
    """
    return _answer(host, ["stat", "-L", path]) is not None


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
    """The names in a directory; none when it does not exist.

    Raises: CommandFailed when it cannot be read.
    """
    listed = _answer(host, ["ls", "-A", path])
    return listed.stdout.split("\n")[:-1] if listed else []


def free_bytes(host: Host, path: Path) -> int:
    """Free bytes for an ordinary user on the disk that holds the nearest existing parent."""
    shown = host.run(["df", "--output=avail", "-B1", _standing(host, path)], timeout_seconds=PROMPT_SECONDS)
    return int(shown.stdout.split()[-1])


def on_one_disk(host: Host, *paths: Path) -> bool:
    """Whether these paths (or their nearest existing parents) take their room from the same disk."""
    shown = host.run(
        ["stat", "-L", "-c", "%d", *(_standing(host, path) for path in paths)], timeout_seconds=PROMPT_SECONDS
    )
    return len(set(shown.stdout.split())) == 1


def _standing(host: Host, path: Path) -> Path:
    while path != path.parent and not exists(host, path):
        path = path.parent
    return path


def used_bytes(host: Host, path: Path) -> int:
    """Bytes that a directory tree takes on disk; 0 when it does not exist.

    Raises: CommandFailed when it cannot be measured.
    """
    shown = _answer(host, ["du", "-s", "-B1", path])
    return int(shown.stdout.split()[0]) if shown else 0


def _answer(host: Host, argv: Sequence[str | Path]) -> Completed | None:
    """What a program says of a path; None when it says that nothing is there."""
    ended = host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
    if ended.status == 0:
        return ended
    if says_absent(ended.stderr, str(argv[0])):
        # A tree that somebody works in: what vanished below the path is no part of it any more.
        return ended if ended.stdout else None
    raise failed(argv, ended)


def says_absent(text: str, program: str) -> bool:
    """Whether all that this program complains of is that nothing is there; what others say of the way to it is theirs."""
    lines = [line for line in text.splitlines() if line.startswith(f"{program}: ")]
    return bool(lines) and all(line.endswith((": No such file or directory", ": Not a directory")) for line in lines)
