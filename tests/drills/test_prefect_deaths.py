"""Parts of `recover serve` are killed; no run stays Running for ever, and nothing is left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from recovery.lease import lease_holder
from tests.fix_prefect import Served
from tests.waiting import until


def test_killed_run_is_crashed_and_frees_its_slot(served: Served) -> None:
    first = served.nap("nap/one-nap")
    second = served.submit("nap/one-nap")
    until(lambda: served.run(second)["state"]["name"] == "AwaitingConcurrencySlot")
    os.kill(served.engine(first.run_id), signal.SIGKILL)
    assert served.wait(first.run_id)["state_type"] == "CRASHED"
    assert served.wait(second)["state_type"] == "COMPLETED"


@pytest.mark.long
def test_what_a_killed_run_had_called_is_crashed_with_it(served: Served) -> None:
    """A subflow has no process of its own that could be missed."""
    doze = served.nap("doze/doze")
    called = until(lambda: served.called_by(doze.run_id))[0]
    served.wait(called, "RUNNING")
    os.kill(served.engine(doze.run_id), signal.SIGKILL)
    assert served.wait(doze.run_id)["state_type"] == "CRASHED"
    crashed = served.wait(called)["state"]
    assert crashed["type"] == "CRASHED"
    assert "the run that called it is over" in crashed["message"]


def test_run_outlives_its_worker(served: Served) -> None:
    nap = served.nap()
    worker = served.worker()
    os.kill(worker, signal.SIGKILL)
    until(lambda: served.worker() != worker)
    nap.wake()
    assert served.wait(nap.run_id)["state_type"] == "COMPLETED"


@pytest.mark.long
def test_run_that_dies_while_no_worker_looks_is_crashed(served: Served) -> None:
    nap = served.nap()
    os.kill(served.worker(), signal.SIGKILL)
    os.kill(served.engine(nap.run_id), signal.SIGKILL)
    run = served.wait(nap.run_id)
    assert run["state_type"] == "CRASHED"
    assert run["state"]["message"] == "its process is gone: killed, out of memory, or the machine stopped"


def test_run_outlives_the_server_and_its_database(served: Served) -> None:
    """The worker is another one too: the old one could have taken the runs of whoever had the port meanwhile."""
    nap = served.nap()
    killed = {words: served.program(words) for words in ("bin/postgres -D", "uvicorn", "deployments.worker")}
    database = killed["bin/postgres -D"]
    orphan = int(Path(f"/proc/{database}/task/{database}/children").read_text().split()[-1])
    said = served.state_dir / "prefect" / "log" / "postgres.log"
    before = said.read_text().count("shared memory block")
    os.kill(orphan, signal.SIGSTOP)  # it still has the memory of the one that is killed: no other may start
    for words in ("bin/postgres -D", "uvicorn"):
        os.kill(killed[words], signal.SIGKILL)
    nap.wake()  # it ends while nobody hears it
    until(lambda: said.read_text().count("shared memory block") > before, what=said.read_text)
    os.kill(orphan, signal.SIGCONT)
    for words, pid in killed.items():
        until(lambda words=words, pid=pid: served.program(words) != pid, what=words)
    until(served.answers)
    assert served.wait(nap.run_id)["state_type"] == "COMPLETED"
    assert served.wait(served.submit("nap/nap"))["state_type"] == "COMPLETED"


@pytest.mark.works("serve --detach --stop --status")
def test_stop_ends_the_runs_and_leaves_nothing(served: Served) -> None:
    nap = served.nap()
    stopped = served.recover("serve", "--stop")
    assert stopped.returncode == 0, stopped.stderr
    assert served.programs() == {}
    assert served.recover("serve", "--status").returncode == 1
    started = served.recover("serve", "--detach")
    assert started.returncode == 0, started.stderr
    assert served.run(nap.run_id)["state_type"] == "CRASHED"


@pytest.mark.long
def test_killed_server_takes_its_parts_along_but_not_the_runs(served: Served) -> None:
    nap = served.nap()
    engine = served.engine(nap.run_id)
    holder = lease_holder(served.state_dir / "prefect", "serve")
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    until(lambda: set(served.programs()) <= {engine}, what=lambda: str(served.programs()))
    started = served.recover("serve", "--detach")
    assert started.returncode == 0, started.stderr
    nap.wake()
    assert served.wait(nap.run_id)["state_type"] == "COMPLETED"


@pytest.mark.long
def test_killed_server_is_ready_again_at_the_next_start(served: Served) -> None:
    """Its note stays behind and names an address; nobody is told that this one answers."""
    holder = lease_holder(served.state_dir / "prefect", "serve")
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    until(lambda: served.recover("serve", "--status").returncode == 1)
    started = served.recover("serve", "--detach")
    assert (started.returncode, started.stdout.strip()) == (0, served.url), started.stderr
    assert served.answers()
