"""kill -9 after a step, then the same incident again: healthy, nothing done twice, the clock carries on."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

import pytest

from sandbox import site
from tests.drills.test_application_failure import cause_seen
from tests.fix_recovery import NAMESPACE, ApplicationDrill

# Dies, as by kill -9, when as many steps are done as the first word says.
_DYING = """
import os, signal, sys
from recovery import journal
left = int(sys.argv.pop(1))
def hear(entry):
    global left
    if entry["event"] == "done":
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
journal.DEFAULT_LISTENERS.append(hear)
from recovery.cli.main import main
main()
"""
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
KINDS = {"hang-pods": "hung", "bad-image": "image", "slow-application": "capacity"}


def dying(application: ApplicationDrill, after: int) -> ApplicationDrill:
    return replace(application, program=(sys.executable, "-P", "-c", _DYING, str(after)))


def shown(application: ApplicationDrill, incident: str) -> dict[str, Any]:
    found: dict[str, Any] = application.done("incident", "show", incident, "--json").json
    return found


def killed_and_run_again(application: ApplicationDrill, fault: str, after: int) -> int:
    """Break, be killed after so many steps, go on; the status of the first run (0 when it had ended before)."""
    incident = f"INC-{fault}-{after}"
    allowing = application.allowing(roll_back="auto")
    application.break_it(fault)
    cause_seen(application, KINDS[fault])
    before = versions(application)
    first = dying(allowing, after).run("application-failure", f"--incident={incident}", seconds=400)
    assert first.status in (0, -9), first.stderr
    began = shown(application, incident)["moments"].get("detected") if known(application, incident) else None
    again = allowing.done("application-failure", f"--incident={incident}", "--json", seconds=400).json
    assert again["outcome"] == "recovered"
    site.wait_until_healthy(application.sandbox)
    after_all = shown(application, incident)
    if began:  # it came so far
        assert after_all["moments"]["detected"] == began
    assert set(after_all["moments"]) >= {"detected", "recovered"}
    made = versions(application) - before
    assert len(made) == {"hang-pods": 1, "bad-image": 0, "slow-application": 0}[fault], "restarted once, or not at all"
    application.mend()
    return first.status


def versions(application: ApplicationDrill) -> set[str]:
    """The names of its ReplicaSets."""
    found = application.cluster.apps.list_namespaced_replica_set(NAMESPACE).items
    return {one.metadata.name for one in found}


def known(application: ApplicationDrill, incident: str) -> bool:
    return (application.sandbox.state_dir / "incidents" / incident).exists()


@pytest.mark.parametrize("fault", KINDS)
def test_killed_after_every_step(application: ApplicationDrill, fault: str) -> None:
    ended = 0
    for after in range(1, int(os.environ.get("N", "30"))):
        if killed_and_run_again(application, fault, after) == 0:
            ended += 1
            break
    assert ended, "no run came to its end: there are more steps than were tried"
