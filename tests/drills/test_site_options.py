"""A site from nothing to its first backup by commands alone: the options of `sandbox`, `site` and `settings`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from recovery.environment import SANDBOX_MARK
from recovery.lease import hold_lease
from sandbox import processes, services, site
from sandbox.layout import load
from tests.fix_drills import Drill
from tests.fix_sandbox import ask
from tests.sandbox_commands import RECOVER, sandbox_command
from tests.waiting import PATIENCE, until

REFUSED, WRONG, BUSY = 14, 11, 16
BEAT = "SELECT at FROM clickview_recovery.heartbeat"


@pytest.fixture
def place(sandbox_room: Path) -> Iterator[Path]:
    folder = sandbox_room / "by-commands"
    yield folder
    site.down(folder)


@pytest.mark.works(
    "sandbox up --dir --size --rate --no-prepare --json",
    "site prepare --apply --restart --first-backup --json",
    "sandbox down --dir",
    "demo --dir --down",
)
@pytest.mark.refuses("site prepare --restart --first-backup", "sandbox up --dir", "demo --dir")
@pytest.mark.long
def test_a_site_is_made_prepared_and_taken_down_as_it_was_told(place: Path) -> None:
    up = ("--size", "2MB", "--rate", "3", "--no-prepare", "--json")
    told = sandbox_command(place, "up", *up)
    assert told.returncode == 0, told.stderr
    made = load(place)
    assert json.loads(told.stdout)["ports"] == made.ports
    assert made.transactions_per_second == 3.0
    assert ask(made, "SELECT current_setting('archive_mode')") == "off"
    assert ask(made, "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables") < 12e6
    again = sandbox_command(place, "up")
    assert (again.returncode, "there is a sandbox in" in again.stderr) == (REFUSED, True)

    own = Drill(made, made.settings_file)
    assert "archive_mode" in str(own.done("site", "prepare", "--json").json["changes"])
    for told_too_early in ("--restart", "--first-backup"):
        assert own.refusal("site", "prepare", told_too_early, status=REFUSED) == (
            f"{told_too_early} does nothing without --apply\n"
            "NEXT: add --apply, or leave the other out to see what would be changed"
        )
    assert own.done("site", "prepare", "--apply", "--json").json["waits_for_restart"] is True
    assert ask(made, "SELECT current_setting('archive_mode')") == "off"
    prepared = own.done("site", "prepare", "--apply", "--restart", "--first-backup", "--json").json
    assert (prepared["applied"], prepared["waits_for_restart"]) == (True, False)
    assert ask(made, "SELECT current_setting('archive_mode')") == "on"
    assert [(one["kind"], one["repo"]) for one in own.sets()] == [("full", 2), ("full", 1)]

    pids = processes.all_pids(place)
    assert own.run("demo", "--dir", str(place)).status == REFUSED
    words = ["demo", "--down", "--dir", str(place)]
    # Not as a process of that sandbox: it would end with it.
    outside = {name: value for name, value in os.environ.items() if name != SANDBOX_MARK}
    down = subprocess.run([*RECOVER, *words], env=outside, cwd="/", timeout=PATIENCE)
    assert down.returncode == 0
    assert not place.exists()
    assert not any(processes.is_running(pid) for pid in pids)
    assert sandbox_command(place, "down").stdout == "There is no sandbox.\n"


@pytest.mark.works("sandbox up --prepare --first-backup --dir --rate", "site prepare --apply --first-backup")
def test_the_site_of_these_drills_has_its_first_backup_in_each_region(drill: Drill) -> None:
    assert drill.sandbox.transactions_per_second == 8.0
    assert {one["repo"] for one in drill.sets() if one["kind"] == "full"} == {1, 2}


@pytest.mark.refuses("site prepare --apply")
def test_a_site_whose_copies_would_harm_it_is_not_prepared(drill: Drill) -> None:
    before = drill.sql("SELECT pg_postmaster_start_time()")
    inside = drill.variant("restore", scratch_dir=str(drill.sandbox.data_dir("primary") / "base"))
    said = inside.refusal("site", "prepare", "--apply", "--restart", status=REFUSED)
    assert "lies in the live data directory" in said
    assert drill.sql("SELECT pg_postmaster_start_time()") == before


def test_one_prepare_at_a_time_changes_a_site(drill: Drill) -> None:
    with hold_lease(drill.sandbox.state_dir, "prepare"):
        said = drill.refusal("site", "prepare", "--apply", status=BUSY)
        drill.done("site", "prepare")
    assert f"another prepare is running here (process {os.getpid()})" in said


@pytest.mark.works("site heartbeat --once --every")
@pytest.mark.refuses("site heartbeat --once --every")
def test_the_heart_beats_once_or_as_often_as_it_was_told(drill: Drill) -> None:
    services.stop(services.find(drill.sandbox, "heartbeat"))
    try:
        beat = datetime.fromisoformat(drill.done("site", "heartbeat", "--once").stdout.strip())
        assert drill.sql(BEAT) == beat
        assert drill.usage_error("site", "heartbeat", "--every", "0.1").startswith("Invalid value for '--every': ")
        assert "leave out --once or --every" in drill.usage_error("site", "heartbeat", "--once", "--every", "1")
        assert drill.sql(BEAT) == beat
        with drill.start("site", "heartbeat", "--every", "0.2") as beating:
            first = until(lambda: newer(drill, beat), what="a beat")
            until(lambda: newer(drill, first), what="another beat")
            beating.kill()
    finally:
        site.start_service(drill.sandbox, "heartbeat")


def newer(drill: Drill, beat: Any) -> Any:
    now = drill.sql(BEAT)
    return now if now > beat else None


@pytest.mark.works("--config", "settings show --json")
@pytest.mark.refuses("--config")
def test_the_settings_are_those_of_the_named_file(drill: Drill) -> None:
    other = drill.variant("objectives", data_loss_minutes=7)
    shown = drill.done("--config", str(other.settings), "settings", "show", "--json").json
    assert shown["objectives.data_loss_minutes"] == "7"
    assert shown["backup.primary.bucket"] == "clickview-backups"
    nowhere = drill.settings.with_name("nowhere.toml")
    assert drill.refusal("--config", str(nowhere), "settings", "show", status=WRONG).startswith(
        f"there is no settings file {nowhere}\n"
    )
    assert drill.usage_error("--config", "", "settings", "show") == "Invalid value for '--config': is empty"


@pytest.mark.refuses(
    "sandbox up --dir",
    "sandbox status --dir",
    "sandbox down --dir",
    "sandbox env --dir",
    "sandbox break --dir",
    "demo --down",
)
def test_a_folder_that_is_no_sandbox_is_left_alone(drill: Drill, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    for command in ("status", "down", "env", "break"):
        words = ("kill-primary",) if command == "break" else ()
        assert drill.run("sandbox", command, *words, "--dir", str(tmp_path)).status == WRONG, command
    assert drill.run("sandbox", "up", "--dir", str(tmp_path)).status == REFUSED
    assert drill.run("demo", "--down", "--dir", str(tmp_path)).status == WRONG
    assert [file.name for file in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("sandbox", "up", "--dir", "/tmp/cvt-none", "--size", "lots"), WRONG, "lots is not a size"),
        (("sandbox", "up", "--dir", "/tmp/cvt-none", "--rate", "0"), 2, "'--rate'"),
        (("sandbox", "up", "--dir", "/tmp/cvt-none", "--no-prepare", "--first-backup"), 2, "is not prepared"),
        (("sandbox", "up", "--dir", "/tmp/cvt-none", "--strange-tables", "5"), 2, "without --strange"),
        (("sandbox", "up", "--dir", "/tmp/cvt-none", "--strange", "--strange-tables", "-1"), 2, "'--strange-tables'"),
        (("sandbox", "break", "meteor"), REFUSED, "there is no fault meteor"),
        (("sandbox", "break", "drop-table", "--table", "nobody"), REFUSED, "there is no table nobody"),
        (("sandbox", "break", "delete-rows", "--rows", "0"), 2, "'--rows'"),
        (("sandbox", "break", "corrupt-heap-page", "--server", "third"), 2, "primary, standby or both"),
        (("sandbox", "break", "s3-slow", "--repo", "3"), 2, "'--repo'"),
        (("sandbox", "break", "s3-slow", "--delay", "0"), 2, "'--delay'"),
        (("sandbox", "break", "lose-wal-segment", "--segment", "0" * 24), REFUSED, "is in no repository"),
        (("sandbox", "break", "disk-full", "--free", "lots"), WRONG, "lots is not a size"),
        (("serve", "--detach", "--stop"), 2, "one of them at a time"),
        (("serve", "--status", "--stop"), 2, "one of them at a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.refuses(
    "sandbox up --size --rate --no-prepare --first-backup --strange --strange-tables",
    "sandbox break FAULT --table --rows --server --repo --delay --segment --free",
    "serve --detach --stop --status",
)
def test_what_cannot_be_meant_is_refused(drill: Drill, words: tuple[str, ...], status: int, said: str) -> None:
    here = ("--dir", str(drill.sandbox.folder)) if words[1] == "break" else ()
    ended = drill.run(*words, *here)
    assert (ended.status, said in ended.stderr) == (status, True), ended.stderr
    assert site.active_faults(drill.sandbox) == []
    assert not Path("/tmp/cvt-none").exists()
