"""Two machines (two state folders, one bucket) recover one site: one runs, and whoever lost the site does nothing more.

N is how many times two start at the same moment (make prove: 20).
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import pytest

from sandbox import processes, services
from sandbox.layout import Sandbox
from tests.fix_questions import Asked, Asking, with_a_short_lease
from tests.waiting import until

N = int(os.environ.get("N", "1"))
ONLY_HERE = "only this machine's lock holds"
NAMED = r"run \S+-ask-\S+ \(incident {incident}, process {pid} on \S+\)"
Machines = tuple[Asking, Asking]


def let_go(one: Asking, asked: Asked) -> None:
    """Say no, so that it ends."""
    one.waiting(asked)
    assert one.approve("--refuse").returncode == 0
    asked.ended(17)


def kill(asked: Asked) -> None:
    os.kill(asked.process.pid, signal.SIGKILL)
    asked.process.wait()


@pytest.mark.campaign
def test_of_two_at_the_same_moment_one_runs(machines: Machines) -> None:
    for _ in range(N):
        first = machines[0].another()
        pair = [(one, one.start()) for one in (first, replace(machines[1], incident=first.incident, file=first.file))]
        until(lambda pair=pair: any(asked.process.poll() is not None for _, asked in pair))
        [(_, loser)] = [one for one in pair if one[1].process.poll() is not None]
        [(winner, runs)] = [one for one in pair if one[1].process.poll() is None]
        said = loser.ended(16)
        assert re.search(NAMED.format(incident=winner.incident, pid=runs.process.pid), said), said
        plan = winner.waiting(runs).plan
        assert winner.approve().returncode == 0
        runs.ended(0)
        assert winner.written() == [plan]


@pytest.mark.long
def test_on_one_machine_the_lock_says_who(machines: Machines) -> None:
    asked = machines[0].ask()
    said = machines[0].another().start().ended(16)
    assert f"another recovery is running here (process {asked.process.pid})" in said
    let_go(machines[0], asked)


@pytest.mark.long
def test_who_was_killed_is_followed_at_once_here_and_in_time_elsewhere(machines: Machines) -> None:
    here, elsewhere = machines
    asked = here.ask()
    first = here.events("lease")[0]["token"]
    kill(asked)
    again = here.start()  # no wait, no word of taking over; what the first one asked still waits
    until(lambda: len(here.events("lease")) == 2, what=lambda: again.shown)
    assert here.events("lease")[1]["token"] == first + 1
    kill(again)
    said = elsewhere.start().ended(16)
    assert "a recovery holds this site for another " in said
    soon = with_a_short_lease(here).start()
    until(lambda: len(here.events("lease")) == 3, what=lambda: soon.shown)
    kill(soon)

    def taken() -> Asked | None:
        asked = elsewhere.start()
        until(lambda: asked.process.poll() is not None or elsewhere.approvals.waiting(), what=lambda: asked.shown)
        return asked if asked.process.poll() is None else None

    let_go(elsewhere, until(taken, what="the lease to grow stale"))
    assert elsewhere.events("lease")[-1]["token"] == first + 3


def test_who_was_overtaken_does_nothing_more(machines: Machines) -> None:
    """It waits for its approval while the site is taken from it; the approval comes, and it stops before its action."""
    first, second = machines
    overtaken = first.ask()
    heir = second.start("--take-over", "ops1 is on fire")
    second.waiting(heir)
    assert first.approve().returncode == 0  # at once: no renewal has told it yet
    said = overtaken.ended(16)
    assert "somebody took this recovery's lease over" in said
    assert re.search(NAMED.format(incident=second.incident, pid=heir.process.pid), said), said
    assert first.written() == []
    assert [one.get("reason") for one in second.events("lease")] == [None, "ops1 is on fire"]
    assert second.approve().returncode == 0
    heir.ended(0)
    assert len(second.written()) == 1


def went_on_after(asking: Asking) -> float:
    """How long the run tried to take its lease, by its journal; for people to read."""
    [journal] = (asking.state_dir / "runs").glob("*/journal.jsonl")
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    warned = next(one for one in entries if one["event"] == "warning" and ONLY_HERE in one["message"])
    begin, end = (datetime.fromisoformat(one["at"]) for one in (entries[0], warned))
    return (end - begin).total_seconds()


def test_with_the_region_of_the_bucket_gone_it_goes_on(machines: Machines, sandbox: Sandbox) -> None:
    asking = machines[0]
    text = asking.settings_file.read_text()
    known = f"port = {sandbox.ports['proxy-west']}\n"
    assert text.count(known) == 1
    asking.settings_file.write_text(text.replace(known, "port = 1\n"))
    said = asking.start("--policy", "auto").ended(0)
    assert ONLY_HERE in said
    assert len(asking.written()) == 1
    assert asking.events("lease") == []


@contextmanager
def silent_bucket(sandbox: Sandbox, how: signal.Signals) -> Iterator[None]:
    """The region of the evidence bucket answers nothing (SIGSTOP)."""
    pid = processes.noted_pid(services.find(sandbox, "s3-west").pid_file)
    assert pid is not None
    os.kill(pid, how)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.long
def test_without_the_bucket_only_this_machine_is_sure(machines: Machines, sandbox: Sandbox) -> None:
    asking = machines[0]
    with silent_bucket(sandbox, signal.SIGSTOP):
        asked = asking.ask()
        assert asking.approve().returncode == 0
        said = asked.ended(0)
    assert ONLY_HERE in said
    assert len(asking.written()) == 1
    print(f"the bucket hung, and it went on after {went_on_after(asking):.1f} s")


@pytest.mark.long
def test_a_bucket_that_falls_silent_in_the_middle(machines: Machines, sandbox: Sandbox) -> None:
    asking = machines[0]
    asked = asking.ask()
    with silent_bucket(sandbox, signal.SIGSTOP):
        assert asking.approve().returncode == 0
        said = asked.ended(0)
    assert ONLY_HERE in said
    assert len(asking.written()) == 1
