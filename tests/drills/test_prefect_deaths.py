"""Parts of `recover serve` are killed; no run stays Running for ever, and nothing is left behind."""

from __future__ import annotations

import os
import signal

from recovery.lease import lease_holder
from tests.fix_prefect import Served, wait_for


def test_killed_run_is_crashed_and_frees_its_slot(served: Served) -> None:
    first = served.submit("nap/one-nap", seconds=100)
    served.wait(first, "RUNNING")
    second = served.submit("nap/one-nap")
    wait_for(lambda: served.run(second)["state"]["name"] == "AwaitingConcurrencySlot", seconds=20)
    os.kill(served.engine(first), signal.SIGKILL)
    assert served.wait(first, seconds=10)["state_type"] == "CRASHED"
    assert served.wait(second, seconds=60)["state_type"] == "COMPLETED"


def test_run_outlives_its_worker(served: Served) -> None:
    run_id = served.submit("nap/nap", seconds=4)
    served.wait(run_id, "RUNNING")
    os.kill(served.worker(), signal.SIGKILL)
    assert served.wait(run_id, seconds=30)["state_type"] == "COMPLETED"


def test_run_that_dies_while_no_worker_looks_is_crashed(served: Served) -> None:
    run_id = served.submit("nap/nap", seconds=100)
    served.wait(run_id, "RUNNING")
    os.kill(served.worker(), signal.SIGKILL)
    os.kill(served.engine(run_id), signal.SIGKILL)
    run = served.wait(run_id, seconds=30)
    assert run["state_type"] == "CRASHED"
    assert run["state"]["message"] == "its process is gone: killed, out of memory, or the machine stopped"


def test_run_outlives_the_server_and_its_database(served: Served) -> None:
    run_id = served.submit("nap/nap", seconds=3)
    served.wait(run_id, "RUNNING")
    programs = served.programs()
    for words in ("bin/postgres -D", "uvicorn"):
        [pid] = [pid for pid, command in programs.items() if words in command]
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: served.answers() is False, seconds=10)
    wait_for(served.answers, seconds=60)
    assert served.wait(run_id, seconds=90)["state_type"] == "COMPLETED"
    assert served.wait(served.submit("nap/nap"), seconds=60)["state_type"] == "COMPLETED"


def test_stop_ends_the_runs_and_leaves_nothing(served: Served) -> None:
    run_id = served.submit("nap/nap", seconds=100)
    served.wait(run_id, "RUNNING")
    assert served.recover("serve", "--stop").returncode == 0
    assert served.programs() == {}
    assert served.recover("serve", "--status").returncode == 1
    assert served.recover("serve", "--detach").returncode == 0
    assert served.run(run_id)["state_type"] == "CRASHED"


def test_killed_server_takes_its_parts_along_but_not_the_runs(served: Served) -> None:
    run_id = served.submit("nap/nap", seconds=12)
    served.wait(run_id, "RUNNING")
    engine = served.engine(run_id)
    holder = lease_holder(served.state_dir / "prefect", "serve")
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    wait_for(lambda: set(served.programs()) <= {engine}, seconds=20, say=lambda: str(served.programs()))
    assert served.recover("serve", "--detach").returncode == 0
    assert served.wait(run_id, seconds=60)["state_type"] == "COMPLETED"
