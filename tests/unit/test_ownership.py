"""What root leaves belongs to whom the folder belongs; who may not write is told so."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recovery.errors import SettingsInvalid
from recovery.journal import open_journal
from recovery.lease import hold_lease
from recovery.ownership import (
    files_in,
    make_folder,
    make_ours,
    make_state_folder,
    names_in,
    open_ours,
    read_ours,
    replace_ours,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder that belongs to another user."""
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 4711, 4712)
    return folder


def owners(folder: Path) -> set[tuple[int, int]]:
    return {(one.lstat().st_uid, one.lstat().st_gid) for one in [folder, *folder.rglob("*")]}


@as_root
def test_journal_documents_and_leases_of_root_belong_to_whom_the_state_folder_belongs(state: Path) -> None:
    journal = open_journal(state / "runs", "backup")
    journal.write("note")
    journal.leave("report.md", "text")
    with hold_lease(state, "restore"):
        pass
    assert owners(state) == {(4711, 4712)}


@as_root
def test_what_root_kept_before_is_given_away(state: Path) -> None:
    (state / "runs" / "one").mkdir(parents=True)
    (state / "runs" / "one" / "journal.jsonl").touch()
    open_journal(state / "runs", "backup")
    assert owners(state) == {(4711, 4712)}


@as_root
def test_a_folder_that_is_there_stays_whose_it_is(state: Path) -> None:
    make_folder(state)
    assert state.stat().st_uid == 4711


def refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "journal.jsonl").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic"):
        open_ours(tmp_path / "journal.jsonl", "a")
    assert (tmp_path / "theirs").read_text() == "precious"


def test_who_may_not_write_is_told_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(SettingsInvalid) as said:
        open_journal(tmp_path / "runs", "backup")
    assert str(said.value) == f"user {me} may not write {tmp_path}, which belongs to {me}\nNEXT: run this as {me}"


def test_a_state_folder_that_is_missing_is_made_by_root_and_nothing_above_it_is_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice was `chown -R` of the folder above: /var/lib."""
    me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    monkeypatch.setattr(os, "mkdir", refuse)
    folder = tmp_path / "lib" / "state"
    for begin in (lambda: open_journal(folder / "runs", "backup"), lambda: hold_lease(folder, "serve").__enter__()):
        with pytest.raises(SettingsInvalid) as said:
            begin()
        assert str(said.value) == (
            f"user {me} may not make {folder}\nNEXT: have root make it: install -d -o {me} -g {group} -m 0750 {folder}"
        )


@as_root
def test_root_goes_through_no_link_in_a_folder_of_another(state: Path, tmp_path: Path) -> None:
    journal = open_journal(state / "runs", "backup")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    journal.folder.rename(state / "away")
    journal.folder.symlink_to(theirs)
    for write in (
        lambda: journal.write("note"),
        lambda: make_folder(journal.folder / "log"),
        lambda: list(files_in(journal.folder)),
    ):
        with pytest.raises(SettingsInvalid, match="is a link, or no folder, and root goes through none"):
            write()
    assert list(theirs.iterdir()) == []


@as_root
def test_root_writes_into_no_file_with_a_second_name_and_into_no_pipe(state: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("text")
    os.link(precious, state / "report.md")
    os.mkfifo(state / "pipe.md")
    for name in ("report.md", "pipe.md"):
        with pytest.raises((SettingsInvalid, OSError)):
            open_ours(state / name, "w")
    assert (precious.read_text(), precious.stat().st_uid) == ("text", 0)


@as_root
def test_a_link_to_a_folder_that_is_given_away_stays_a_link(state: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (state / "runs").symlink_to(tmp_path / "theirs")
    with pytest.raises(SettingsInvalid):
        make_folder(state / "runs")
    assert (tmp_path / "theirs").stat().st_uid == 0


def test_only_files_of_the_folder_itself_are_sent_away(tmp_path: Path) -> None:
    """What a link leads to (/etc/shadow) went into the bucket."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").mkdir()
    (folder / "report.md").write_text("text")
    os.mkfifo(folder / "pipe")
    assert list(files_in(folder)) == [("report.md", b"text")]


@as_root
def test_a_second_name_of_a_secret_is_not_sent_away(state: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    os.link(tmp_path / "secret", state / "innocent")
    assert list(files_in(state)) == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    make_state_folder(tmp_path / "lib" / "state")
    file = tmp_path / "lib" / "state" / "server.json"
    replace_ours(file, "one")
    replace_ours(file, "two")
    assert (file.read_text(), os.listdir(file.parent)) == ("two", ["server.json"])


def test_of_many_at_once_one_makes_it_and_it_is_whole(tmp_path: Path) -> None:
    def make(number: int) -> bool:
        try:
            make_ours(tmp_path / "answer.json", str(number).encode() * 1000)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=8) as pool:
        won = list(pool.map(make, range(8)))
    assert won.count(True) == 1
    assert read_ours(tmp_path / "answer.json") == str(won.index(True)).encode() * 1000
    assert names_in(tmp_path) == ["answer.json"]


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert read_ours(tmp_path / "file") == b"text"
    for name in ("none", "link", "pipe", "file/below", "none/below", "."):
        assert read_ours(tmp_path / name) is None
    assert names_in(tmp_path / "none") == names_in(tmp_path / "file") == []


@as_root
def test_root_makes_and_reads_nothing_through_a_link_of_another(state: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "secret").write_text("secret")
    (state / "approvals").symlink_to(theirs)
    os.link(theirs / "secret", state / "innocent")
    for touch in (
        lambda: make_ours(state / "approvals" / "answer.json", b"{}"),
        lambda: read_ours(state / "approvals" / "secret"),
        lambda: names_in(state / "approvals"),
    ):
        with pytest.raises(SettingsInvalid, match="is a link, or no folder, and root goes through none"):
            touch()
    assert read_ours(state / "innocent") is None
    assert names_in(theirs) == ["secret"]


@as_root
def test_what_root_makes_once_belongs_to_whom_its_folder_belongs(state: Path) -> None:
    make_ours(state / "answer.json", b"{}")
    assert owners(state) == {(4711, 4712)}


def test_who_may_not_make_or_look_is_told_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(SettingsInvalid, match=f"user {me} may not write {tmp_path}, which belongs to {me}"):
        make_ours(tmp_path / "answer.json", b"{}")
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(SettingsInvalid, match=f"user {me} may not read {tmp_path}, which belongs to {me}"):
        names_in(tmp_path)


@as_root
@pytest.mark.parametrize("when", [1, 2])
def test_a_stop_that_comes_as_root_becomes_another_leaves_it_root(when: int) -> None:
    """It stayed postgres for good: nothing of the copy could be cleared away. In a process of its own."""
    program = f"""
import os, signal, tempfile
from pathlib import Path
from recovery import stopping
from recovery.adapters.postgres import socket_owner
signal.signal(signal.SIGTERM, signal.SIG_DFL)
stopping.listen()
folder = tempfile.mkdtemp()
socket = Path(folder, ".s.PGSQL.1"); socket.touch(); os.chown(socket, 4711, 4711)
become, calls = socket_owner._become, []
def and_stop(*words):
    calls.append(words)
    try:
        return become(*words)
    finally:
        if len(calls) == {when}:
            os.kill(os.getpid(), signal.SIGTERM)
socket_owner._become = and_stop
try:
    with socket_owner.calling_as_its_owner(folder, 1):
        pass
except stopping.Stopped:
    print(os.geteuid())
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "0\n"


@as_root
def test_roots_thread_calls_as_the_owner_of_the_socket_and_no_other_thread_does() -> None:
    """In a process of its own: what changes a user here must not change the tests' own."""
    tmp_path = tempfile.mkdtemp(dir="/tmp")  # one that others may pass through to
    program = f"""
import os, socket, struct, threading
from recovery.adapters.postgres.socket_owner import calling_as_its_owner
folder = {tmp_path!r}
server = socket.socket(socket.AF_UNIX); server.bind(folder + "/.s.PGSQL.1"); server.listen()
os.chown(folder + "/.s.PGSQL.1", 4711, 4711); os.chmod(folder + "/.s.PGSQL.1", 0o777)
os.chmod(folder, 0o755)
seen, go, looked = [], threading.Event(), threading.Event()
threading.Thread(target=lambda: (go.wait(), seen.append(os.geteuid()), looked.set())).start()
with calling_as_its_owner(folder, 1):
    go.set(); looked.wait()
    client = socket.socket(socket.AF_UNIX); client.connect(folder + "/.s.PGSQL.1")
    inside = os.geteuid()
peer = server.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
print(inside, *seen, struct.unpack("3i", peer)[1], os.geteuid())
with calling_as_its_owner("localhost", 1), calling_as_its_owner(folder, 2):
    print(os.geteuid())
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    shutil.rmtree(tmp_path)
    assert told.stdout.split() == ["4711", "0", "4711", "0", "0"]
