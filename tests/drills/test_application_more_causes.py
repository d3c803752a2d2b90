"""Causes of scenario 2 that a cluster shows less often, and what changes while a person thinks about it."""

from __future__ import annotations

import time

import pytest

from sandbox import services, site
from tests.drills.test_application_failure import GOOD, asked, cause_seen, container, recovered
from tests.drills.test_application_refusals import refused
from tests.fix_recovery import NAMESPACE, ApplicationDrill
from tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def test_another_bad_version_is_another_question(application: ApplicationDrill) -> None:
    application.break_it("bad-image")
    cause_seen(application, "image")
    with application.start("application-failure", "--incident=INC-two") as run:
        [first] = until(lambda: asked(application, "INC-two"), what="the question")
        application.cluster.change(container(image="clickview/backend:none-either"))
        cause_seen(application, "image")
        application.done("approve", "INC-two", "--by=Ada", "--reason=the first", f"--plan={first}")
        until(lambda: asked(application, "INC-two") not in ([], [first]), what="another question")
        assert application.cluster.image() == "clickview/backend:none-either"
        application.done("approve", "INC-two", "--by=Ada", "--reason=the second")
        _, err = run.communicate(timeout=400)
    assert run.returncode == 0, err
    assert application.cluster.image() == GOOD, "neither of the two that had no image"


def test_a_configuration_that_is_missing_is_rolled_back(application: ApplicationDrill) -> None:
    application.cluster.change(container(envFrom=[{"secretRef": {"name": "not-there"}}]))
    try:
        cause_seen(application, "configuration")
        assert recovered(application.allowing(roll_back="auto"))["done"] == ["roll-back"]
    finally:
        application.run("application-failure", "--option=roll-back", "--mode=auto")


def test_a_quota_is_told_with_the_command(application: ApplicationDrill) -> None:
    quota = {"metadata": {"name": "tight"}, "spec": {"hard": {"pods": "4"}}}
    application.cluster.core.create_namespaced_resource_quota(NAMESPACE, quota)
    try:
        application.cluster.core.delete_namespaced_pod(application.cluster.ready()[0], NAMESPACE)
        cause_seen(application, "quota")
        assert "describe resourcequota" in refused(application)
    finally:
        application.cluster.core.delete_namespaced_resource_quota("tight", NAMESPACE)


def test_a_path_to_the_cache_that_is_cut_is_not_cured_by_restarts(application: ApplicationDrill) -> None:
    application.break_it("cache-unreachable-from-pods")
    cause_seen(application, "path to the cache")
    assert "REDIS_URL" in refused(application)


def test_a_paused_rollout_is_left_alone(application: ApplicationDrill) -> None:
    application.cluster.change({"spec": {"paused": True}})
    application.cluster.change(container(image="clickview/backend:2.4.0"))
    try:
        cause_seen(application, "rollout paused")
        assert "kubectl -n clickview rollout resume deployment/clickview-backend" in refused(application)
    finally:
        application.cluster.change(container(image=GOOD))
        application.cluster.change({"spec": {"paused": False}})


def test_a_gateway_that_is_gone_is_no_fault_of_the_pods(application: ApplicationDrill) -> None:
    gateway = services.find(application.sandbox, "backend")
    services.stop(gateway)
    try:
        said = refused(application)
        assert said.startswith("path to the application: every pod is ready, and from here the health check does not")
    finally:
        services.start(gateway)
        site.wait_until_healthy(application.sandbox)


def test_a_rollout_under_way_is_waited_for(application: ApplicationDrill) -> None:
    before = application.cluster.ready()
    application.cluster.change(
        {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": str(time.time())}}}}}
    )
    report = application.done("application-failure", "--incident=INC-going", "--json", seconds=400).json
    assert report["outcome"] in ("recovered", "healthy")
    assert set(report["done"]) <= {"wait"}
    until(lambda: not set(before) & set(application.cluster.ready()), what="new pods alone")


def test_the_frontend_by_its_pods_alone(application: ApplicationDrill) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "frontend", "image": "clickview/frontend:none"}]}}}}
    application.cluster.change(body, "clickview-frontend")
    allowing = application.allowing(roll_back="auto")

    def cause() -> str:
        return str(allowing.done("application-failure", "--component=frontend", "--mode=plan", "--json").json["cause"])

    until(lambda: cause() == "image", what="the cause")
    recovered(allowing, "--component=frontend")
    assert application.cluster.image("clickview-frontend") == "clickview/frontend:2.3.0"
    assert application.cluster.image() == GOOD
