"""Scenario 2 at the browser and by the API: started from its form, plan read, approved there, what it came to looked at.

SCREENSHOTS=folder keeps the pictures of docs/application-failure.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from recovery.waiting import wait_until
from sandbox import faults, site
from tests.drills.test_prefect_ui import artifact_of, runs_of
from tests.fix_prefect import Served
from tests.fix_recovery import Cluster
from tests.waiting import until

FLOW = "application-failure"
GOOD = "clickview/backend:2.3.0"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


@pytest.fixture
def without_image(served: Served) -> Iterator[Cluster]:
    """The site with a version that has no image, seen by the cluster; mended afterwards."""
    cluster = Cluster(served.sandbox)
    faults.break_it(served.sandbox, "bad-image")
    until(lambda: any(is_without_image(pod) for pod in cluster.pods()), what="a pod without an image")
    yield cluster
    for fault in site.active_faults(served.sandbox):
        faults.undo(served.sandbox, fault)
    until(lambda: len(cluster.ready()) == 3, what=lambda: f"three ready pods: {cluster.ready()}")


def is_without_image(pod: Any) -> bool:
    waiting = [one.state.waiting for one in pod.status.container_statuses or [] if one.state.waiting]
    return any(one.reason == "ImagePullBackOff" for one in waiting)


@pytest.mark.works("deployment application-failure mode option replicas component drill")
def test_a_recovery_from_the_form_to_the_report(
    served: Served, without_image: Cluster, page: Any, pictures: Path
) -> None:
    run_id = started_from_its_form(served, page, pictures)
    served.wait(run_id, "PAUSED")
    page.goto(artifact_of(served, run_id, "plan"))
    page.get_by_role("heading", name="Every way, and why not").wait_for()
    page.get_by_role("cell", name="a new pod would not start either").wait_for()
    page.screenshot(path=pictures / "application-plan.png", full_page=True)

    approve(served, page, run_id)
    done = served.wait(run_id)
    assert done["state_type"] == "COMPLETED", "\n".join(served.logs(run_id))
    assert without_image.image() == GOOD
    assert site.health(served.sandbox) == "healthy"
    page.goto(f"/v2/runs/flow-run/{run_id}")
    page.get_by_text("Completed").first.wait_for()
    page.screenshot(path=pictures / "application-run.png")
    page.goto(artifact_of(served, run_id, "incident-metrics"))
    page.get_by_role("cell", name="Time to Recovery").wait_for()
    page.screenshot(path=pictures / "application-metrics.png")


def started_from_its_form(served: Served, page: Any, pictures: Path) -> str:
    """The run that was started at the browser."""
    found = served.ask("GET", f"/deployments/name/{FLOW}/{FLOW}")
    page.goto(f"/v2/deployments/deployment/{found['id']}?tab=Description")
    page.get_by_text("It looks first and tells the cause apart").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    page.get_by_text("plan only looks and says what it would do").wait_for()
    page.screenshot(path=pictures / "application-form.png")
    before = runs_of(served, FLOW)
    page.get_by_role("button", name="Submit", exact=True).click()
    [submitted] = until(lambda: runs_of(served, FLOW) - before, what="the run that was submitted")
    return str(submitted)


def approve(served: Served, page: Any, run_id: str) -> None:
    """Say yes in the run's dialog."""
    page.goto(f"/v2/runs/flow-run/{run_id}")
    page.get_by_text("Paused").first.wait_for()
    page.locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Select Decision").click()
    page.get_by_role("option", name="approve", exact=True).click()
    for number, text in enumerate(("Ada Lovelace", "the tag was never pushed")):
        dialog.locator("textarea").nth(number).fill(text)
    dialog.get_by_role("button", name="Resume").click()


@pytest.mark.works("deployment application-scale-back component")
def test_nothing_to_scale_back_by_the_api(served: Served) -> None:
    run = served.wait(served.submit("application-scale-back/application-scale-back", component="backend"))
    assert run["state_type"] == "COMPLETED", served.logs(run["id"])
    said = "has no former size to return to"
    until(lambda: any(said in line for line in served.logs(run["id"])), what=lambda: str(served.logs(run["id"])))


@pytest.mark.refuses(
    "deployment application-failure mode option replicas component drill incident",
    "deployment application-scale-back component",
)
def test_what_cannot_be_is_refused_when_a_run_is_made(served: Served) -> None:
    for flow, parameters in (
        (FLOW, {"mode": "now"}),
        (FLOW, {"option": "reboot"}),
        (FLOW, {"replicas": 0}),
        (FLOW, {"component": "database"}),
        (FLOW, {"drill": "perhaps"}),
        (FLOW, {"incident": " "}),
        ("application-scale-back", {"component": "database"}),
    ):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            served.submit(f"{flow}/{flow}", **parameters)
        assert refused.value.response.status_code == 409, parameters


@pytest.mark.long
def test_a_run_that_waits_for_six_minutes_is_let_live(served: Served, without_image: Cluster) -> None:
    """The server ends a run whose slot of a concurrency limit has run out (after 300 s): there is none on recoveries."""
    run_id = served.submit(f"{FLOW}/{FLOW}", incident="INC-patient")
    served.wait(run_id, "PAUSED")
    begin = time.monotonic()
    wait_until(lambda: served.run(run_id)["state_type"] != "PAUSED" or time.monotonic() - begin > 360, 400, pause=5)
    assert served.run(run_id)["state_type"] == "PAUSED", served.logs(run_id)
    said = served.recover("approve", "INC-patient", "--by=Ada", "--reason=it took me a while")
    assert said.returncode == 0, said.stderr
    assert served.wait(run_id)["state_type"] == "COMPLETED", served.logs(run_id)
    assert without_image.image() == GOOD


@pytest.mark.long
def test_a_server_that_is_killed_does_not_stop_a_recovery(served: Served, without_image: Cluster) -> None:
    run_id = served.submit(f"{FLOW}/{FLOW}", incident="INC-killed")
    served.wait(run_id, "PAUSED")
    os.kill(served.program("uvicorn"), 9)
    said = served.recover("approve", "INC-killed", "--by=Ada", "--reason=no server")
    assert said.returncode == 0, said.stderr
    until(lambda: without_image.image() == GOOD, what="the former image")
    shown = until(lambda: served.recover("incident", "show", "INC-killed", "--json").stdout, what="the record")
    assert '"recovered"' in shown
    assert served.recover("serve", "--detach").returncode == 0
    assert served.wait(run_id)["state_type"] == "COMPLETED"
