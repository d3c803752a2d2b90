"""Ctrl-C, SIGTERM and a closed terminal at every moment of a backup, a restore and a load: nothing is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recovery.lease import lease_holder
from tests.fix_drills import Drill
from tests.stops import as_at_a_terminal
from tests.waiting import PATIENCE, until

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
BACKUP = ("backup", "run", "--type=incr", "--json")
RESTORE = ("backup", "restore", "--json")
LOAD = (*RESTORE, "--target-database=loaded_at_the_end")
MOMENTS = [
    (BACKUP, "read_server"),
    (BACKUP, "take_backup"),
    (BACKUP, "verify_backup_taken"),
    (BACKUP, "record_site_facts"),
    (RESTORE, "read_repository"),
    (RESTORE, "restore_copy"),
    (RESTORE, "start_replay"),
    (RESTORE, "verify_target_reached"),
    (RESTORE, "check_data"),
    (LOAD, "load_into_site"),
]
SAID = re.compile(
    r"recover: stopped by (Ctrl-C|SIGTERM)( before its first step| during the step “[a-z ]+”)\n"
    r"NEXT: (no step was completed|the last completed step is “[a-z ]+”); to go on, run the same command again"
)

# What a stop hears that comes when nothing is left to stop.
TOO_LATE = ("recover: all is done; it ends by itself", "recover: this must not stay half done; it stops right after")


@pytest.fixture
def site_of(drill: Drill) -> Iterator[Drill]:
    """The site, which is left without a copy and without the database of a load."""
    yield drill
    clean_up(drill)


def clean_up(drill: Drill) -> None:
    for copy in drill.done("backup", "copies", "--json").json:
        drill.done("backup", "drop-copy", copy["name"])
    drill.do("DROP DATABASE IF EXISTS loaded_at_the_end")


def runs(drill: Drill) -> set[Path]:
    return set((drill.sandbox.state_dir / "runs").glob("*"))


def entries(folder: Path) -> list[dict[str, Any]]:
    file = folder / "journal.jsonl"
    return (
        [json.loads(line) for line in file.read_text().splitlines(True) if line.endswith("\n")] if file.exists() else []
    )


def signalled(drill: Drill, words: tuple[str, ...], step: str, number: signal.Signals, *more: signal.Signals) -> Any:
    """A command that got a signal before it was at its end: what it said, and its journal."""
    for _ in range(5):
        ended, journal, sent = signalled_once(drill, words, step, number, *more)
        if not missed(ended, journal, sent):
            return ended, journal
        clean_up(drill)
    pytest.fail(f"five runs were over before one was seen to be at {step}")


def missed(ended: subprocess.CompletedProcess[str], journal: list[dict[str, Any]], sent: datetime) -> bool:
    """Whether all was done before the signals came, as the journal or the run's own words say: it rightly ends by itself."""
    done = any(one["event"] == "run done" and datetime.fromisoformat(one["at"]) <= sent for one in journal)
    return ended.returncode == 0 and (done or any(words in ended.stderr for words in TOO_LATE))


def signalled_once(drill: Drill, words: tuple[str, ...], step: str, *numbers: signal.Signals) -> Any:
    """A command that got signals as soon as its journal was seen to have begun a step, and when all were sent."""
    before = runs(drill)

    def begun() -> Path | None:
        for folder in runs(drill) - before:
            if any((e["event"], e.get("step")) == ("begin", step) for e in entries(folder)):
                return folder
        return None

    with as_at_a_terminal():
        process = drill.start(*words)
    with process:
        folder = until(lambda: begun() or process.poll() is not None)
        assert isinstance(folder, Path), process.communicate()
        for one in numbers:
            process.send_signal(one)
        sent = datetime.now(UTC)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return subprocess.CompletedProcess(words, process.returncode, out, err), entries(folder), sent


def assert_nothing_left(drill: Drill) -> None:
    until(lambda: not drill.leftovers(), what=lambda: str(drill.leftovers()))
    assert lease_holder(drill.sandbox.state_dir, "restore") is None
    assert "loaded_at_the_end" not in drill.sql("SELECT string_agg(datname, ' ') FROM pg_database")
    standby = drill.sandbox.admin_address("standby")
    assert drill.sql("SELECT pg_get_wal_replay_pause_state()", address=standby) == "not paused"
    backups = [one for one in os.listdir("/proc") if one.isdigit() and is_backup_of(drill, one)]
    assert backups == []


def is_backup_of(drill: Drill, pid: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"pgbackrest" in words and str(drill.sandbox.folder).encode() in words and b"archive-push" not in words


def stopped(drill: Drill, words: tuple[str, ...], step: str, *numbers: signal.Signals) -> None:
    """It ends with 18, one error with its NEXT, and nothing is left."""
    ended, journal = signalled(drill, words, step, *numbers)
    assert ended.returncode == 18, ended.stderr
    said = ended.stderr[ended.stderr.rindex("recover: ") :].strip()
    assert SAID.fullmatch(said), ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    assert json.loads(ended.stdout)["exit_code"] == 18
    assert journal[-1]["event"] == "run failed"
    assert_nothing_left(drill)


def outlived(drill: Drill, words: tuple[str, ...], step: str) -> None:
    """It goes on to its end, and its journal says so."""
    ended, journal = signalled(drill, words, step, HUP)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)
    assert journal[-1]["event"] == "run done"
    assert "the terminal was closed; this run goes on to its end without it" in [e.get("message") for e in journal]
    if words is LOAD:
        assert drill.sql("SELECT count(*) FROM pg_database WHERE datname = 'loaded_at_the_end'") == 1


@pytest.mark.parametrize(
    ("words", "step", "numbers"),
    [
        (BACKUP, "take_backup", (INT,)),
        pytest.param(BACKUP, "record_site_facts", (TERM,), marks=pytest.mark.long),
        pytest.param(RESTORE, "read_repository", (TERM,), marks=pytest.mark.long),
        (RESTORE, "restore_copy", (TERM, INT, TERM)),
        (LOAD, "load_into_site", (INT, INT)),
    ],
)
def test_a_stop_leaves_nothing(
    site_of: Drill, words: tuple[str, ...], step: str, numbers: tuple[signal.Signals, ...]
) -> None:
    stopped(site_of, words, step, *numbers)


def test_a_closed_terminal_stops_no_backup(site_of: Drill) -> None:
    """After the stops above: so it is the next run, too, that works."""
    outlived(site_of, BACKUP, "take_backup")


@pytest.mark.long
@pytest.mark.parametrize(("words", "step"), MOMENTS)
def test_every_end_at_every_moment(site_of: Drill, words: tuple[str, ...], step: str) -> None:
    """Thirty: the run that a closed terminal does not stop is the next run after two that were stopped."""
    stopped(site_of, words, step, INT)
    stopped(site_of, words, step, TERM)
    outlived(site_of, words, step)
