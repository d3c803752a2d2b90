"""Copies of restores: nobody's are swept away, anybody's are not. With real small programs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.adapters.pgbackrest.copies import CopyOwner, RestoredCopies, process_start
from recovery.adapters.postgres.recovered import CopyPlaces, RecoveredServer
from recovery.adapters.process import HERE
from recovery.adapters.secrets import Secrets
from recovery.errors import CommandFailed
from tests.unit.build import settings

NAME = "copy-20260115t100000-0a1b2c"


@pytest.fixture
def copies(tmp_path: Path) -> RestoredCopies:
    made = settings()
    restore = made.restore.model_copy(update={"scratch_dir": tmp_path})
    return RestoredCopies(made.model_copy(update={"restore": restore}), HERE, Secrets(made.aws))


def owner_note(folder: Path, text: str | None) -> CopyPlaces:
    places = CopyPlaces(folder / NAME)
    places.folder.mkdir()
    if text is not None:
        (places.folder / "owner.json").write_text(text)
    return places


def test_a_copy_whose_maker_was_killed_before_it_wrote_its_note_is_swept(
    copies: RestoredCopies, tmp_path: Path
) -> None:
    owner_note(tmp_path, None)
    assert copies.sweep() == [NAME]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"pid": 1, "kept": True, "of": "a later version"})])
def test_a_note_that_cannot_be_understood_is_somebodys(copies: RestoredCopies, tmp_path: Path, text: str) -> None:
    owner = copies.owner(owner_note(tmp_path, text))
    assert owner is not None
    assert owner.kept
    assert copies.sweep() == []


def test_a_note_that_cannot_be_read_sweeps_nothing_away(copies: RestoredCopies, tmp_path: Path) -> None:
    places = owner_note(tmp_path, None)
    (places.folder / "owner.json").mkdir()
    with pytest.raises(CommandFailed):
        copies.sweep()
    assert places.folder.exists()


def test_a_maker_is_gone_only_when_the_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = process_start(os.getpid())
    assert begun.isdigit()
    assert process_start(2**22 + 1) == ""

    def read_text(path: Path) -> str:
        raise OSError(24, "Too many open files", str(path))

    monkeypatch.setattr(Path, "read_text", read_text)
    with pytest.raises(OSError, match="Too many open files"):
        _ = CopyOwner(os.getpid(), begun, os.uname().nodename, False, "", "", "").alive


@pytest.mark.parametrize(
    ("said", "stopped"),
    [
        ('pg_ctl: directory "/copy/data" does not exist', True),
        ('pg_ctl: PID file "/copy/data/postmaster.pid" does not exist\nIs server running?', True),
        ("pg_ctl: could not send stop signal (PID: 999999): No such process", True),
        ("pg_ctl: server does not shut down", False),
        ("pg_ctl: could not send stop signal (PID: 1): Operation not permitted", False),
        ('pg_ctl: could not open PID file "/copy/data/postmaster.pid": Permission denied', False),
    ],
)
def test_a_server_that_could_not_be_stopped_keeps_its_files(tmp_path: Path, said: str, stopped: bool) -> None:
    program = tmp_path / "pg_ctl"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    program.chmod(0o755)
    server = RecoveredServer(HERE, CopyPlaces(tmp_path), tmp_path, "postgres")
    with postmaster(tmp_path / "data", runs_in=tmp_path / "data"):
        if stopped:
            server.stop()
            return
        with pytest.raises(CommandFailed) as failed:
            server.stop()
    assert failed.value.last_lines == said


@contextmanager
def postmaster(data_dir: Path, *, runs_in: Path) -> Iterator[None]:
    """A process in this folder, and a postmaster.pid that names it."""
    data_dir.mkdir()
    with subprocess.Popen(["sleep", "600"], cwd=runs_in) as process:
        (data_dir / "postmaster.pid").write_text(f"{process.pid}\n{data_dir}\n")
        try:
            yield
        finally:
            process.kill()


def test_a_process_that_only_has_the_number_of_a_server_is_left_alone(tmp_path: Path) -> None:
    """After a reboot the number in a copy's postmaster.pid is anybody's: pg_ctl would have stopped them."""
    program = tmp_path / "pg_ctl"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    program.chmod(0o755)
    with postmaster(tmp_path / "data", runs_in=tmp_path):
        RecoveredServer(HERE, CopyPlaces(tmp_path), tmp_path, "postgres").stop()
    assert not (tmp_path / "asked").exists()
