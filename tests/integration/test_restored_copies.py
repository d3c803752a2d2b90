"""A restore writes into a new empty folder of its own process, or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.adapters import files
from recovery.adapters.pgbackrest.copies import RestoredCopies
from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.recovered import CopyPlaces
from recovery.adapters.process import Host
from recovery.adapters.secrets import Secrets
from recovery.errors import CommandFailed, GateRefused
from recovery.facts import RecoveryTarget, RestorePlan, TargetKind
from recovery.settings import load_settings
from sandbox.layout import Sandbox
from tests.unit.build import at, backup, lsn, name
from tests.waiting import PATIENCE

PLAN = RestorePlan(
    backup("20260115-100200F", 2), RecoveryTarget(TargetKind.LATEST), 1, name(2), name(5), lsn(6), 4, 10**9, 10.0, at(6)
)


@pytest.fixture
def copies(sandbox: Sandbox) -> RestoredCopies:
    settings = load_settings(sandbox.settings_file, {})
    return RestoredCopies(settings, Host(sandbox.prefix), Secrets(settings.aws))


@pytest.fixture
def places(copies: RestoredCopies, sandbox: Sandbox) -> Iterator[CopyPlaces]:
    """The folder of a copy that is about to be restored."""
    made = copies.prepare("none", "a test", load_settings(sandbox.settings_file, {}).backup.repos)
    yield made
    copies.remove(made)
    assert copies.names() == []


def refusal(copies: RestoredCopies, places: CopyPlaces) -> str:
    with pytest.raises(GateRefused) as refused:
        copies.restore_files(PLAN, places, 1, lambda _progress: None)
    assert refused.value.next_step == "nothing was written; run the restore again: it makes a new folder"
    return refused.value.problem


def run(sandbox: Sandbox, *argv: str | Path) -> None:
    Host(sandbox.prefix).run(argv, timeout_seconds=PATIENCE)


def test_a_new_empty_folder_is_no_reason_to_refuse(copies: RestoredCopies, places: CopyPlaces) -> None:
    """pgBackRest itself says that there is no such set."""
    with pytest.raises(CommandFailed):
        copies.restore_files(PLAN, places, 1, lambda _progress: None)


@pytest.mark.parametrize("part", ["data_dir", "tablespace_dir"])
def test_what_lies_there_is_not_written_over(
    copies: RestoredCopies, places: CopyPlaces, sandbox: Sandbox, part: str
) -> None:
    folder: Path = getattr(places, part)
    files.write_text(Host(sandbox.prefix), folder / "PG_VERSION", "15")
    assert refusal(copies, places) == f"{folder} is not an empty folder"
    assert [one.name for one in folder.iterdir()] == ["PG_VERSION"]


def test_a_link_to_the_live_data_is_not_followed_and_its_server_not_stopped(
    copies: RestoredCopies, places: CopyPlaces, sandbox: Sandbox
) -> None:
    live = sandbox.data_dir("primary")
    before = started(sandbox)
    run(sandbox, "rmdir", places.data_dir)
    run(sandbox, "ln", "-s", live, places.data_dir)
    assert refusal(copies, places) == f"{places.data_dir} is not an empty folder"
    copies.remove(places)
    assert started(sandbox) == before
    assert (live / "PG_VERSION").exists()


def started(sandbox: Sandbox) -> object:
    with connect(sandbox.admin_address()) as connection:
        return connection.execute("SELECT pg_postmaster_start_time()").fetchone()


def test_a_folder_that_is_gone(copies: RestoredCopies, places: CopyPlaces, sandbox: Sandbox) -> None:
    run(sandbox, "rmdir", places.data_dir)
    assert refusal(copies, places) == f"{places.data_dir} is not an empty folder"


def test_a_scratch_directory_that_leads_into_the_live_data(
    copies: RestoredCopies, sandbox: Sandbox, tmp_path: Path
) -> None:
    """By its name it lies elsewhere."""
    inside = sandbox.data_dir("primary") / "scratch"
    link = sandbox.folder / "scratch-link"
    run(sandbox, "mkdir", inside)
    run(sandbox, "ln", "-s", inside, link)
    settings = load_settings(sandbox.settings_file, {})
    restore = settings.restore.model_copy(update={"scratch_dir": link})
    led = RestoredCopies(settings.model_copy(update={"restore": restore}), Host(sandbox.prefix), Secrets(settings.aws))
    places = led.prepare("none", "a test", settings.backup.repos)
    try:
        in_truth = inside / places.folder.name / "data"
        assert refusal(led, places) == f"{places.data_dir} is in truth {in_truth}, which is no folder of a copy"
        assert list(in_truth.iterdir()) == []
    finally:
        led.remove(places)
        run(sandbox, "rm", link)
        run(sandbox, "rmdir", inside)


def test_the_folder_of_another_process_and_a_kept_one(
    copies: RestoredCopies, places: CopyPlaces, sandbox: Sandbox
) -> None:
    owner = copies.owner(places)
    assert owner is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        for one in (replace(owner, pid=other.pid), replace(owner, started="1"), replace(owner, kept=True)):
            copies._note_owner(places, one)
            assert refusal(copies, places) == f"{places.folder} was not made for this restore"
    files.write_text(Host(sandbox.prefix), places.folder / "owner.json", "")
    assert refusal(copies, places) == f"{places.folder} was not made for this restore"


def test_a_folder_that_no_copy_is_called(copies: RestoredCopies, sandbox: Sandbox) -> None:
    live = CopyPlaces(sandbox.folder / "primary")
    assert refusal(copies, live) == f"{live.folder} was not made for this restore"


def test_a_folder_is_made_new(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed):
        files.make_new_directory(Host(), tmp_path)
