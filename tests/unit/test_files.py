"""Files: what is not there is one thing, what could not be looked at is another. With the real programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.adapters import files
from recovery.adapters.process import HERE, Host
from recovery.errors import CommandFailed, RecoveryError, TargetUnreachable

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")


def empty(host: Host, path: Path) -> object:
    return files.empty_directories(host, [path])


LOOKS: list[Callable[[Host, Path], object]] = [
    *(files.exists, files.read_text, files.list_directory, files.used_bytes, files.is_link),
    empty,
]
looks = pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.__name__)


def read_end(host: Host, path: Path) -> str:
    return files.read_text(host, path, last_bytes=10)


@looks
def test_what_is_not_there(tmp_path: Path, look: Callable[[Host, Path], object]) -> None:
    (tmp_path / "file").touch()
    for absent in (tmp_path / "none", tmp_path / "none" / "below", tmp_path / "file" / "below", tmp_path / "größe ' "):
        assert not look(HERE, absent)
        assert not read_end(HERE, absent)


@looks
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_closed_directory_is_no_answer(tmp_path: Path, look: Callable[[Host, Path], object]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "note").write_text("kept")
    for at in (look, read_end):
        with pytest.raises(CommandFailed) as failed:
            at(Host(NOBODY), closed / "note")
        assert "Permission denied" in failed.value.last_lines


@looks
def test_a_command_prefix_that_fails_is_no_answer(tmp_path: Path, look: Callable[[Host, Path], object]) -> None:
    """A container that is down ends with 1, as a program does that finds nothing."""
    prefix = tmp_path / "docker"
    prefix.write_text('#!/bin/sh\necho "Error response from daemon: Container db is not running" >&2\nexit 1\n')
    prefix.chmod(0o755)
    with pytest.raises(CommandFailed):
        look(Host((str(prefix), "exec", "db")), tmp_path)


@looks
def test_an_ssh_that_does_not_get_there_is_no_answer(tmp_path: Path, look: Callable[[Host, Path], object]) -> None:
    prefix = tmp_path / "ssh"
    prefix.write_text('#!/bin/sh\necho "ssh: connect to host db1 port 22: No route to host" >&2\nexit 255\n')
    prefix.chmod(0o755)
    with pytest.raises(TargetUnreachable) as unreachable:
        look(Host((str(prefix), "db1")), tmp_path)
    assert (
        unreachable.value.problem
        == f"{prefix} db1 did not get through: ssh: connect to host db1 port 22: No route to host"
    )


def test_words_of_the_way_are_not_the_programs(tmp_path: Path) -> None:
    """ssh complains of a missing key file in the same words."""
    prefix = tmp_path / "way"
    prefix.write_text(
        '#!/bin/sh\necho "Warning: Identity file /k not accessible: No such file or directory." >&2\nexec "$@"\n'
    )
    prefix.chmod(0o755)
    host = Host((str(prefix),))
    assert files.exists(host, tmp_path)
    assert not files.exists(host, tmp_path / "none")


def test_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("text\n" * 10)
    (tmp_path / "dangling").symlink_to("nowhere")
    assert files.exists(HERE, tmp_path / "a file")
    assert not files.exists(HERE, tmp_path / "dangling")
    assert files.read_text(HERE, tmp_path / "a file", last_bytes=5) == "text\n"
    assert files.list_directory(HERE, tmp_path) == ["a file", "dangling"]
    assert files.used_bytes(HERE, tmp_path) >= 4096
    assert [one for one in ("a file", "dangling") if files.is_link(HERE, tmp_path / one)] == ["dangling"]
    (tmp_path / "new\nfolder").mkdir()
    assert files.empty_directories(HERE, [tmp_path / "new\nfolder", tmp_path, tmp_path / "a file"]) == [
        tmp_path / "new\nfolder"
    ]


def test_bytes_there_and_back(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    files.write_bytes(HERE, tmp_path / "b", content)
    assert files.read_bytes(HERE, tmp_path / "b") == content
    assert files.read_bytes(HERE, tmp_path / "b", at=200, count=100) == content[200:300]
    with pytest.raises(RecoveryError):
        files.read_bytes(HERE, tmp_path / "none")
