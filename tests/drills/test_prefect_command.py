"""A person runs a command while the server is up: one line for one thing, and the run on its deployment's page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.processes import began_before
from sandbox import faults
from tests.fix_prefect import LINK, Served, run_recover
from tests.waiting import PATIENCE, until


@pytest.fixture
def seen(served: Served) -> dict[str, str]:
    """The environment of a person at this site, whose commands use the server."""
    return {name: value for name, value in served.environment.items() if name != "RECOVERY_NO_SERVER"}


def recover(seen: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return run_recover(seen, *words)


def start(seen: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A command that is not waited for."""
    argv = [sys.executable, "-P", "-c", "from recovery.cli.main import main; main()", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=seen, cwd="/", stdout=pipe, stderr=pipe, text=True)


def run_of(served: Served, said: str) -> dict[str, Any]:
    """The run that the one link leads to."""
    [run_id] = LINK.findall(said)
    return served.run(run_id)


def deployment(served: Served, name: str) -> str:
    return str(served.ask("GET", f"/deployments/name/{name}/{name}")["id"])


def slots(served: Served, name: str) -> int:
    return int(served.ask("GET", f"/v2/concurrency_limits/deployment:{deployment(served, name)}")["active_slots"])


def test_a_person_reads_our_lines_and_one_link(served: Served, seen: dict[str, str]) -> None:
    done = recover(seen, "site", "prepare")
    link, *lines = done.stderr.splitlines()
    assert LINK.fullmatch(link)
    assert lines
    assert all(re.fullmatch(r"✓ .* \(\d+\.\d s\)|  .*", line) for line in lines), done.stderr
    assert len(LINK.findall(done.stderr)) == 1
    assert "Finished in state" not in done.stderr + done.stdout
    assert not re.search(r"^\d{4}-\d\d-\d\d", done.stderr, re.MULTILINE)
    run = run_of(served, done.stderr)
    until(lambda: any("Finished in state" in line for line in served.logs(run["id"])), what="its log in the server")


def test_its_run_belongs_to_its_deployment_and_says_what_it_does(served: Served, seen: dict[str, str]) -> None:
    done = recover(seen, "site", "prepare")
    assert done.returncode == 0, done.stderr
    run = run_of(served, done.stderr)
    assert (run["name"], run["state_type"], run["tags"]) == ("prepare the site, only shown", "COMPLETED", ["command"])
    assert run["deployment_id"] == deployment(served, "site-prepare")
    assert run["work_queue_id"] is None  # no worker takes it a second time
    until(lambda: slots(served, "site-prepare") == 0)


@pytest.mark.works("--no-server")
def test_without_the_server_by_wish_no_run_is_made_in_it(served: Served, seen: dict[str, str]) -> None:
    done = recover(seen, "--no-server", "site", "prepare")
    assert done.returncode == 0, done.stderr
    assert not LINK.findall(done.stderr)
    assert "✓" in done.stderr.splitlines()[0]
    first = (newest_run(served) / "journal.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["flow_run_id"] is None


def test_as_json_the_answer_alone_is_on_standard_output(served: Served, seen: dict[str, str]) -> None:
    done = recover(seen, "site", "prepare", "--json")
    assert json.loads(done.stdout)["applied"] is False
    assert LINK.fullmatch(done.stderr.strip())


def test_a_refusal_is_said_once_and_ends_with_its_own_status(served: Served, seen: dict[str, str]) -> None:
    done = recover(seen, "backup", "restore", "--target-time", "yesterday")
    assert done.returncode == 14
    assert done.stderr.count("'yesterday' is not a moment") == 1
    assert "Traceback" not in done.stderr
    run = run_of(served, done.stderr)
    assert (run["name"], run["state_type"]) == ("restore to yesterday", "FAILED")


@pytest.mark.works("--verbose")
def test_with_v_every_command_is_shown_once(served: Served, seen: dict[str, str]) -> None:
    done = recover(seen, "-v", "site", "prepare")
    ran = [line for line in done.stderr.splitlines() if line.startswith("run ")]
    assert ran
    assert "Finished in state" not in done.stderr


def test_the_form_and_the_clock_give_their_runs_a_name_too(served: Served) -> None:
    run = served.wait(served.submit("backup-check/backup-check", read_files=False))
    assert run["name"] == "backup check, lists only"


def test_a_killed_command_is_crashed_and_holds_no_slot(served: Served, seen: dict[str, str]) -> None:
    with start(seen, "backup", "run", "--type", "full", "--repo", "1") as command:
        assert command.stderr is not None
        run_id = LINK.findall(command.stderr.readline())[0]
        served.wait(run_id, "RUNNING")
        assert served.run(run_id)["infrastructure_pid"].endswith(f":{command.pid}")
        assert slots(served, "backup") == 1
        os.kill(command.pid, signal.SIGKILL)
    run = served.wait(run_id)
    assert run["state_type"] == "CRASHED"
    assert run["state"]["message"] == "its process is gone: killed, out of memory, or the machine stopped"
    until(lambda: slots(served, "backup") == 0)


@pytest.mark.parametrize("by", ["signal", "ui"])
def test_a_command_that_is_stopped_is_cancelled_and_holds_no_slot(
    served: Served, seen: dict[str, str], by: str
) -> None:
    """It stayed Running until somebody looked after it; one that was cancelled in the UI went on."""
    with start(seen, "backup", "run", "--type", "full", "--repo", "1") as command:
        assert command.stderr is not None
        run_id = LINK.findall(command.stderr.readline())[0]
        until(lambda: "take_backup" in journal_of(served, run_id))
        # The server looks every few seconds; a small backup is done before that.
        faults.break_it(served.sandbox, "s3-slow", faults.Options(repo=1, delay_ms=500))
        try:
            if by == "ui":
                served.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}})
            else:
                os.kill(command.pid, signal.SIGTERM)
                os.kill(command.pid, signal.SIGTERM)
            said = command.communicate(timeout=PATIENCE)[1]
        finally:
            faults.undo(served.sandbox, "s3-slow")
    assert command.returncode == 18, said
    assert "Traceback" not in said
    assert "recover: stopped by SIGTERM during the step “" in said
    run = served.wait(run_id)
    assert (run["state_type"], run["state"]["message"]) == ("CANCELLED", "stopped by SIGTERM")
    until(lambda: slots(served, "backup") == 0)


def journal_of(served: Served, run_id: str) -> str:
    """What the run has written in its journal so far."""
    told = [file.read_text() for file in (served.state_dir / "runs").glob("*/journal.jsonl")]
    return next((text for text in told if run_id in text.partition("\n")[0]), "")


@pytest.mark.long
def test_a_command_does_not_wait_behind_its_deployment(served: Served, seen: dict[str, str]) -> None:
    """A run that waits for its approval, or hangs, must not keep the person at the keyboard waiting."""
    first = start(seen, "backup", "check")
    assert first.stderr is not None
    carried = LINK.findall(first.stderr.readline())[0]
    os.kill(first.pid, signal.SIGSTOP)
    try:
        done = recover(seen, "backup", "check", "--quick")
        assert run_of(served, done.stderr)["state_type"] in ("COMPLETED", "FAILED")
        assert began_before(first.pid, float("inf"))
        assert served.run(carried)["state_type"] in ("PENDING", "RUNNING")
    finally:
        os.kill(first.pid, signal.SIGCONT)
        first.communicate(timeout=PATIENCE)
    until(lambda: slots(served, "backup-check") == 0)


@pytest.mark.long
def test_the_end_of_a_command_frees_no_slot_but_its_own(served: Served, seen: dict[str, str]) -> None:
    """Its run never queued for one; Prefect takes one back at its end all the same."""
    with start(seen, "backup", "run", "--type", "incr", "--repo", "1") as other:
        assert other.stderr is not None
        LINK.findall(other.stderr.readline())
        os.kill(other.pid, signal.SIGSTOP)
        try:
            until(lambda: slots(served, "backup") == 1)
            waiting = served.submit("backup/backup", kind="incr", repo="1")
            until(lambda: served.run(waiting)["state"]["name"] == "AwaitingConcurrencySlot")
        finally:
            os.kill(other.pid, signal.SIGCONT)
        other.communicate(timeout=PATIENCE)
    assert served.wait(waiting)["state_type"] == "COMPLETED"
    until(lambda: slots(served, "backup") == 0)


@pytest.mark.long
def test_a_server_that_hangs_is_told_and_the_command_goes_on(served: Served, seen: dict[str, str]) -> None:
    pid = served.program("uvicorn")
    os.kill(pid, signal.SIGSTOP)
    try:
        done = recover(seen, "site", "prepare")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == (
        f"recover: the Prefect server at {served.url} (process {holder(served)}) does not answer;"
        " this run goes on without it"
    )
    folder = newest_run(served)
    until((folder / "imported").exists, what="the run in the server")
    run = served.run((folder / "imported").read_text())
    assert (run["name"], run["tags"]) == ("prepare the site, only shown", ["without-server"])
    assert run["deployment_id"] == deployment(served, "site-prepare")


@pytest.mark.long
def test_a_server_that_hangs_in_the_middle_holds_nothing_back(served: Served, seen: dict[str, str]) -> None:
    """The result of a backup came eight minutes late, and the process did not end by itself."""
    uvicorn = served.program("uvicorn")
    with start(seen, "backup", "run", "--type", "incr", "--repo", "1", "--json") as command:
        assert command.stderr is not None
        served.wait(LINK.findall(command.stderr.readline())[0], "RUNNING")
        os.kill(uvicorn, signal.SIGSTOP)
        try:
            out, said = command.communicate(timeout=PATIENCE)
        finally:
            os.kill(uvicorn, signal.SIGCONT)
    assert command.returncode == 0, said
    assert [one["repo"] for one in json.loads(out)] == [1]
    lost = "recover: the Prefect server is lost: it does not answer; this run goes on without it"
    assert said.splitlines()[-1] == lost


@pytest.mark.long
def test_a_server_that_is_lost_in_the_middle_changes_nothing_of_what_is_done(
    served: Served, seen: dict[str, str]
) -> None:
    """The restore in a restore test is a run of its own, which the server does not take."""
    assert recover(seen, "backup", "run", "--type", "incr", "--repo", "1").returncode == 0
    with start(seen, "backup", "test", "--repo", "1", "--json") as command:
        assert command.stderr is not None
        served.wait(LINK.findall(command.stderr.readline())[0], "RUNNING")
        os.kill(command.pid, signal.SIGSTOP)
        stopped = served.recover("serve", "--stop")
        os.kill(command.pid, signal.SIGCONT)
        assert stopped.returncode == 0, stopped.stderr
        out, said = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0, said
    assert json.loads(out)
    lost = r"recover: the Prefect server is lost: (ConnectError|it does not answer); this run goes on without it\n"
    assert re.fullmatch(lost, said), said  # once, though the restore test's own run has lost it, too


def test_what_somebody_left_in_the_folder_is_not_read(served: Served, seen: dict[str, str], tmp_path: Path) -> None:
    """Prefect takes settings from the current folder: a broken one was a traceback, and no backup."""
    (tmp_path / "prefect.toml").write_text("[flows\n")
    (tmp_path / ".env").write_text("PREFECT_FLOWS_DEFAULT_RETRIES=2\nPREFECT_API_REQUEST_TIMEOUT=soon\n")
    done = run_recover(seen, "backup", "restore", "--target-time", "yesterday", folder=tmp_path)
    assert done.returncode == 14, done.stderr
    assert run_of(served, done.stderr)["state_type"] == "FAILED"
    assert done.stderr.count("'yesterday' is not a moment") == 1


def test_a_broken_prefect_is_told_and_the_command_goes_on(served: Served, seen: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "__init__.py").write_text(
        "def __getattr__(name):\n    raise RuntimeError('half an update')\n"
    )
    done = run_recover(seen | {"PYTHONPATH": str(tmp_path)}, "site", "prepare")
    assert done.returncode == 0, done.stderr
    told, *lines = done.stderr.splitlines()
    assert told == "recover: Prefect cannot be used (RuntimeError: half an update); this run goes on without it"
    assert "✓" in lines[0]


def holder(served: Served) -> int:
    return int(json.loads((served.state_dir / "prefect" / "server.json").read_text())["pid"])


def newest_run(served: Served) -> Path:
    return max((served.state_dir / "runs").glob("*-site-prepare-*"))
