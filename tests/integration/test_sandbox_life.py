"""Sandboxes come up side by side, say how they are, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from recovery.errors import GateRefused, SettingsInvalid
from sandbox import faults, processes, services, site
from sandbox.layout import Sandbox, load
from tests.fix_sandbox import EVERYTHING, NewSandbox
from tests.sandbox_commands import RECOVER
from tests.waiting import PATIENCE, until


def test_two_sandboxes_run_side_by_side_and_one_goes_without_the_other(
    sandbox: Sandbox, new_sandbox: NewSandbox
) -> None:
    other = new_sandbox(prepare=False)
    assert not set(other.ports.values()) & set(sandbox.ports.values())
    assert site.health(other) == "healthy"
    pids = processes.all_pids(other.folder)
    assert len(pids) > 10
    assert site.down(other.folder) is True
    assert not any(processes.is_running(pid) for pid in pids)
    assert not other.folder.exists()
    assert site.health(sandbox) == "healthy"
    assert site.down(other.folder) is False


@pytest.mark.parametrize("after", ["services/redis/pid", "primary/data/postmaster.pid"])
def test_down_removes_what_a_killed_up_left(sandbox_room: Path, after: str) -> None:
    folder = sandbox_room / "killed"
    starting = subprocess.Popen(
        [*RECOVER, "sandbox", "up", "--dir", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until((folder / after).exists, what=after)
    starting.kill()
    starting.wait(10)
    pids = processes.all_pids(folder)
    assert pids
    assert site.down(folder) is True
    assert not folder.exists()
    assert not processes.all_pids(folder)
    assert not any(processes.is_running(pid) for pid in pids)


def test_down_lets_a_stranger_in_the_folder_live(sandbox_room: Path) -> None:
    folder = sandbox_room / "visited"
    folder.mkdir()
    (folder / "sandbox.json").write_text("{}")
    stranger = subprocess.Popen(["sleep", "60"], cwd=folder)
    try:
        (folder / "services" / "redis").mkdir(parents=True)
        # The pid of a process that ended long ago, and that is the stranger's today.
        (folder / "services" / "redis" / "pid").write_text(f"{stranger.pid}\n1\n")
        assert site.down(folder) is True
        assert stranger.poll() is None
        assert not folder.exists()
    finally:
        stranger.kill()
        stranger.wait(10)


def test_down_refuses_a_folder_that_is_no_sandbox(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    with pytest.raises(SettingsInvalid, match="is not a sandbox; nothing was removed"):
        site.down(tmp_path)
    assert (tmp_path / "precious").read_text() == "data"


def test_up_refuses_a_folder_in_use_and_a_path_too_long(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="there is a sandbox in"):
        site.up(sandbox.folder)
    (tmp_path / "precious").write_text("data")
    with pytest.raises(GateRefused, match="is not an empty folder"):
        site.up(tmp_path)
    with pytest.raises(GateRefused, match="is too long a path: a Unix socket in it"):
        site.up(tmp_path / ("x" * 80))
    assert site.health(sandbox) == "healthy"


@pytest.mark.works("sandbox status --dir --json")
def test_status_as_json_and_its_exit_status(broken: Sandbox) -> None:
    argv = [*RECOVER, "sandbox", "status", "--dir", str(broken.folder), "--json"]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert told.returncode == 0, told.stderr
    assert {service["name"] for service in json.loads(told.stdout)["services"]} == EVERYTHING
    services.stop(services.find(broken, "backend"))
    told = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert told.returncode == 1
    assert [s["name"] for s in json.loads(told.stdout)["services"] if s["state"] != "up"] == ["backend"]
    site.start_service(broken, "backend")
    site.wait_until_healthy(broken)


def test_down_also_removes_a_broken_site(new_sandbox: NewSandbox) -> None:
    made = new_sandbox(prepare=False)
    faults.break_it(made, "kill-primary")
    faults.break_it(made, "s3-down")
    if os.geteuid() == 0:
        faults.break_it(made, "disk-full")
    writer = services.running_pid(services.find(made, "writer"))
    assert writer is not None
    os.kill(writer, signal.SIGSTOP)
    cluster = services.running_pid(services.find(made, "cluster"))
    assert cluster is not None
    os.kill(cluster, signal.SIGKILL)  # its pods are nobody's children now
    assert len(list(made.folder.glob("kubernetes/pods/*/pid"))) == 5
    assert load(made.folder) == made
    site.down(made.folder)
    assert not made.folder.exists()
    assert not processes.all_pids(made.folder)
    assert str(made.folder) not in Path("/proc/self/mountinfo").read_text()
