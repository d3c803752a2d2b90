"""Scenario 2, a drill for each cause: broken, recovered by its own remedy, proven on the cluster and by the application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.site_lease import Holder
from recovery.settings import load_settings
from recovery.site import Site
from sandbox import site
from tests.fix_recovery import ApplicationDrill
from tests.waiting import until

GOOD = "clickview/backend:2.3.0"


def recovered(application: ApplicationDrill, *options: str) -> dict[str, Any]:
    """The report of a recovery that must succeed, with the application healthy by its own health check."""
    report: dict[str, Any] = application.done("application-failure", "--json", *options, seconds=400).json
    assert (report["outcome"], site.health(application.sandbox)) == ("recovered", "healthy")
    return report


def cause_seen(application: ApplicationDrill, cause: str) -> dict[str, Any]:
    """What a look says, when the cluster has come so far that the cause shows; nothing is changed by it."""
    seen: list[dict[str, Any]] = []

    def look() -> bool:
        seen.append(application.done("application-failure", "--mode=plan", "--json").json)
        return seen[-1]["cause"] == cause

    until(look, what=lambda: f"{cause}: {seen[-1]['cause']}: {seen[-1]['detail']}")
    return seen[-1]


def container(**changes: Any) -> dict[str, Any]:
    """A change of the backend's container, as somebody makes it who deploys."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "backend"} | changes]}}}}


def asked(application: ApplicationDrill, incident: str) -> list[str]:
    """The plans that wait in an incident."""
    shown = application.run("incident", "show", incident, "--json")
    return list(shown.json["waiting_plans"]) if shown.status == 0 else []


@pytest.mark.works("application-failure --mode --json")
def test_a_healthy_application_is_left_alone(application: ApplicationDrill) -> None:
    before = application.cluster.state()
    report = application.done("application-failure", "--json").json
    assert (report["outcome"], report["cause"], report["incident"]) == ("healthy", "nothing", None)
    assert application.cluster.state() == before


@pytest.mark.works("application-failure --incident --occurred --detected --by", "approve INCIDENT --by --reason --plan")
def test_a_version_without_an_image_is_rolled_back_when_somebody_says_yes(application: ApplicationDrill) -> None:
    good = application.cluster.image()
    application.break_it("bad-image")
    plan = cause_seen(application, "image")["plan"]
    assert [one["name"] for one in plan["options"] if one["rejected"] is None] == ["roll-back"]
    times = ["--occurred=2026-01-15T10:30:00Z", "--detected=2026-01-15T10:32:00Z"]
    with application.start("application-failure", "--incident=INC-7", "--by=Ada", *times, "--json") as run:
        until(lambda: application.run("approve", "INC-7", "--by=Ada", "--reason=bad tag").status == 0, what="approval")
        out, err = run.communicate(timeout=400)
    assert run.returncode == 0, err + out
    assert application.cluster.image() == good
    shown = application.done("incident", "show", "INC-7", "--json").stdout
    assert '"Ada"' in shown and "bad tag" in shown
    assert len(application.cluster.ready()) == 3


def test_a_good_version_that_came_while_somebody_thought_is_not_undone(application: ApplicationDrill) -> None:
    application.break_it("bad-image")
    cause_seen(application, "image")
    with application.start("application-failure", "--incident=INC-late", "--json") as run:
        until(lambda: asked(application, "INC-late"), what="the question")
        application.cluster.change(container(image=GOOD))
        until(lambda: len(application.cluster.ready()) == 3, what="three ready pods")
        version = application.cluster.deployment().metadata.annotations["deployment.kubernetes.io/revision"]
        application.done("approve", "INC-late", "--by=Ada", "--reason=of what I saw a while ago")
        out, err = run.communicate(timeout=400)
    assert run.returncode == 0, err + out
    assert application.cluster.deployment().metadata.annotations["deployment.kubernetes.io/revision"] == version
    assert json.loads(out)["done"] == []


@pytest.mark.long
def test_a_version_that_crashes_is_rolled_back_by_policy(application: ApplicationDrill) -> None:
    good = application.cluster.image()
    application.break_it("crash-loop")
    cause_seen(application, "crash")
    report = recovered(application.allowing(roll_back="auto"), "--mode=auto")
    assert report["done"] == ["roll-back"]
    assert application.cluster.image() == good


@pytest.mark.long
def test_a_version_that_needs_more_memory_than_it_may_have_is_rolled_back(application: ApplicationDrill) -> None:
    application.break_it("out-of-memory")
    cause_seen(application, "memory")
    assert recovered(application.allowing(roll_back="auto"))["done"] == ["roll-back"]


@pytest.mark.long
def test_pods_that_hang_are_replaced(application: ApplicationDrill) -> None:
    before = application.cluster.ready()
    application.break_it("hang-pods")
    cause_seen(application, "hung")
    assert recovered(application)["done"] == ["restart"]
    assert not set(before) & set(application.cluster.ready())


def test_pods_that_failed_are_deleted_and_no_others(application: ApplicationDrill) -> None:
    application.break_it("kill-all-pods")
    cause_seen(application, "failed pods")
    report = recovered(application)
    assert report["done"][0] == "delete-failed-pods"
    assert not [pod for pod in application.cluster.pods() if pod.status.phase == "Failed"]


@pytest.mark.long
@pytest.mark.works("application-failure --replicas --option", "application scale-back --component --incident --json")
def test_too_few_pods_become_five_and_later_three_again(application: ApplicationDrill) -> None:
    application.break_it("slow-application")
    cause_seen(application, "capacity")
    report = recovered(application, "--replicas=11", "--incident=INC-8")
    assert report["done"] == ["scale-up"]
    assert (len(application.cluster.ready()), application.cluster.limits()) == (11, (11, 11))
    [left] = application.done("incident", "show", "INC-8", "--json").json["open_tasks"]
    assert left["name"] == "scale-back of clickview-backend"
    application.undo("slow-application")
    scaled = application.done("application", "scale-back", "--component=backend", "--incident=INC-8", "--json").json
    assert (scaled["before"], scaled["now"], scaled["changed"]) == (11, 3, True)
    assert application.cluster.limits() == (3, 10)
    left = application.done("incident", "show", "INC-8", "--json").json["open_tasks"]
    assert left == []
    assert application.done("application", "scale-back", "--json").json["changed"] is False


@pytest.mark.long
@pytest.mark.works("application-failure --component")
def test_the_frontend_is_recovered_too(application: ApplicationDrill) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "frontend", "image": "clickview/frontend:none"}]}}}}
    application.cluster.change(body, "clickview-frontend")
    allowing = application.allowing(roll_back="auto")
    recovered(allowing, "--component=frontend", "--option=roll-back")
    assert application.cluster.image("clickview-frontend") == "clickview/frontend:2.3.0"


@pytest.mark.long
@pytest.mark.works("application-failure --take-over --drill", "application scale-back --take-over")
def test_a_site_that_a_dead_machine_holds_is_taken_over_for_a_reason(application: ApplicationDrill) -> None:
    lease = Site(load_settings(application.settings, {})).lease
    there = Holder("20260115-application-failure-1", "INC-1", "ops2", 4711, 600, "another machine's")
    lease.take(there)
    said = application.refusal("application-failure", "--option=restart", status=16)
    assert "run 20260115-application-failure-1 (incident INC-1, process 4711 on ops2)" in said
    recovered(application, "--option=restart", "--drill", "--incident=INC-9", "--take-over=ops2 burnt down")
    assert "ops2 burnt down" in application.done("incident", "show", "INC-9", "--json").stdout
    assert json.loads(application.done("incident", "show", "INC-9", "--json").stdout)["drill"] is True
    lease.take(there)
    application.refusal("application", "scale-back", status=16)
    application.done("application", "scale-back", "--take-over=it is dead")


@pytest.mark.works("drill application-failure --fault --dir --json")
def test_the_drill_breaks_recovers_and_measures(application: ApplicationDrill) -> None:
    folder = f"--dir={application.sandbox.folder}"
    report = application.done("drill", "application-failure", "--fault=kill-pod", folder, "--json", seconds=400).json
    assert (report["outcome"], report["done"][0]) == ("recovered", "delete-failed-pods")
    assert {row["Met"] for row in report["metrics"]} == {"yes"}
    assert site.active_faults(application.sandbox) == []


@pytest.mark.refuses("drill application-failure --fault --dir")
def test_a_drill_needs_a_sandbox_and_a_fault_that_there_is(application: ApplicationDrill, tmp_path: Path) -> None:
    assert "one of kill-pod" in application.usage_error("drill", "application-failure", "--fault=earthquake")
    said = application.refusal("drill", "application-failure", f"--dir={tmp_path}", status=11)
    assert said.startswith(f"there is no sandbox in {tmp_path}")
