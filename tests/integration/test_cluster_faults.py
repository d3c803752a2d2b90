"""Faults of the cluster, each seen in the API, the processes and the application's own answers, and undone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from sandbox import faults, processes, services, site
from sandbox.cluster.administration import Administration, administration
from sandbox.cluster.places import pod_folder
from sandbox.layout import Sandbox
from tests.waiting import until

Pod = dict[str, Any]


@pytest.fixture
def cluster(broken: Sandbox) -> Iterator[Administration]:
    """The administrator of a site whose backend is as it shall be, before and after."""
    with administration(broken) as opened:
        yield opened
        for fault in site.active_faults(broken):  # of a test that failed: the next one is not to pay for it
            faults.undo(broken, fault)
        until(lambda: settled(opened), what=lambda: f"three ready pods and no others: {all_pods(opened)}")
    site.wait_until_healthy(broken)


def settled(cluster: Administration) -> bool:
    backend, pods = cluster.backend(), all_pods(cluster)
    status = backend["status"]
    counts = {status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")} | {len(pods)}
    return status["observedGeneration"] == backend["metadata"]["generation"] and counts == {3}


def all_pods(cluster: Administration) -> list[Pod]:
    listed = cluster.core.list_namespaced_pod("clickview", label_selector="app=clickview,component=backend")
    return [cluster._plain(one) for one in listed.items]


def state(pod: Pod) -> dict[str, Any]:
    """Why its container waits, and how the run before ended."""
    told = next(iter(pod["status"].get("containerStatuses") or ()), {})
    waiting = (told.get("state") or {}).get("waiting") or {}
    return {"waits": waiting.get("reason"), "last": (told.get("lastState") or {}).get("terminated") or {}}


def process(sandbox: Sandbox, pod: Pod) -> int | None:
    return processes.noted_pid(pod_folder(sandbox.folder, pod["metadata"]["uid"]) / "pid")


@pytest.mark.long
def test_evicted_pods_stay_and_hold_up_new_ones_until_they_are_deleted(
    broken: Sandbox, cluster: Administration
) -> None:
    before = [process(broken, pod) for pod in all_pods(cluster)]
    faults.break_it(broken, "kill-all-pods")
    until(lambda: not any(processes.is_running(pid) for pid in before if pid), what="the processes are gone")
    assert {(pod["status"]["phase"], pod["status"]["reason"]) for pod in all_pods(cluster)} == {("Failed", "Evicted")}
    assert "503 Service Temporarily Unavailable" in site.health(broken)

    def refused() -> bool:
        found = cluster.core.list_namespaced_event("clickview", field_selector="reason=FailedCreate").items
        return any("exceeded quota: clickview-pods" in one.message for one in found)

    until(refused, what="the quota's refusal")
    # What the runbook says, and no more, is the cure.
    cluster.core.delete_collection_namespaced_pod("clickview", field_selector="status.phase=Failed")
    site.wait_until_healthy(broken)
    faults.undo(broken, "kill-all-pods")


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("crash-loop", lambda pod: state(pod)["waits"] == "CrashLoopBackOff" and state(pod)["last"]["exitCode"] == 1),
        pytest.param("bad-image", lambda pod: state(pod)["waits"] == "ImagePullBackOff", marks=pytest.mark.long),
        ("out-of-memory", lambda pod: state(pod)["last"].get("reason") == "OOMKilled"),
    ],
    ids=["crash-loop", "bad-image", "out-of-memory"],
)
def test_a_bad_version_takes_the_application_down_until_the_former_one_is_back(
    broken: Sandbox, cluster: Administration, fault: str, seen: Callable[[Pod], bool]
) -> None:
    faults.break_it(broken, fault)
    until(lambda: any(seen(pod) for pod in all_pods(cluster)), what=lambda: str([state(p) for p in all_pods(cluster)]))
    assert site.health(broken) != "healthy"
    if fault == "crash-loop":
        [pod, *_] = [pod for pod in all_pods(cluster) if seen(pod)] or all_pods(cluster)
        log = cluster.core.read_namespaced_pod_log(pod["metadata"]["name"], "clickview")
        assert "fatal clickview-backend 2.4.0 does not start: MASTER_ENCRYPTION_KEY is not set" in log
    faults.undo(broken, fault)


@pytest.mark.long
def test_without_room_on_the_nodes_new_pods_wait(broken: Sandbox, cluster: Administration) -> None:
    faults.break_it(broken, "no-capacity")
    pods = until(lambda: len(found := all_pods(cluster)) == 3 and found, what="three pods")
    assert {pod["status"]["phase"] for pod in pods} == {"Pending"}
    told = [one for pod in pods for one in pod["status"]["conditions"] if one["type"] == "PodScheduled"]
    assert all(one["message"].startswith("0/2 nodes are available: 2 node(s) were unschedulable.") for one in told)
    faults.undo(broken, "no-capacity")


@pytest.mark.long
def test_more_pods_carry_more_load(broken: Sandbox, cluster: Administration) -> None:
    faults.break_it(broken, "slow-application")
    until(lambda: site.health(broken) != "healthy", what="a refused answer")
    used = client.CustomObjectsApi(cluster._client)
    pods = used.list_namespaced_custom_object("metrics.k8s.io", "v1beta1", "clickview", "pods")["items"]
    busy = [one["containers"][0]["usage"]["cpu"] for one in pods if one["metadata"]["labels"]["component"] == "backend"]
    assert busy == ["1000m"] * 3  # all that they may take
    cluster.apps.patch_namespaced_deployment_scale("clickview-backend", "clickview", {"spec": {"replicas": 5}})
    until(lambda: cluster.backend()["status"].get("availableReplicas") == 5, what="five pods")
    until(lambda: all(site.health(broken) == "healthy" for _ in range(5)), what="five good answers in a row")
    faults.undo(broken, "slow-application")
    cluster.apps.patch_namespaced_deployment_scale("clickview-backend", "clickview", {"spec": {"replicas": 3}})


@pytest.mark.long
def test_hung_pods_are_not_ready_and_stay_hung_until_they_are_replaced(
    broken: Sandbox, cluster: Administration
) -> None:
    hung = {pod["metadata"]["name"]: process(broken, pod) for pod in all_pods(cluster)}
    faults.break_it(broken, "hang-pods")
    until(lambda: all(processes.is_stopped(pid) for pid in hung.values() if pid), what="all are frozen")
    until(lambda: not cluster.backend()["status"].get("readyReplicas"), what="no pod is ready")
    assert {pod["metadata"]["name"]: process(broken, pod) for pod in all_pods(cluster)} == hung
    template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "once"}}}
    cluster.patch_backend({"spec": {"template": template}})
    until(
        lambda: settled(cluster) and not {p["metadata"]["name"] for p in all_pods(cluster)} & set(hung), what="others"
    )
    assert not any(processes.is_running(pid) for pid in hung.values() if pid)
    faults.undo(broken, "hang-pods")


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("database-unreachable-from-pods", "database"),
        pytest.param("cache-unreachable-from-pods", "redis", marks=pytest.mark.long),
    ],
)
def test_pods_alone_do_not_reach_a_server(broken: Sandbox, cluster: Administration, fault: str, what: str) -> None:
    faults.break_it(broken, fault)
    until(lambda: not cluster.backend()["status"].get("readyReplicas"), what="no pod is ready")
    log = cluster.core.read_namespaced_pod_log(all_pods(cluster)[0]["metadata"]["name"], "clickview")
    assert f"error health: {what}: down: " in log
    states = {one.name: one.state for one in site.status(broken)}
    assert (states["primary"], states["redis"]) == ("up", "up")
    faults.undo(broken, fault)


def test_pods_and_service_go_on_without_the_api_and_are_its_own_again(broken: Sandbox, cluster: Administration) -> None:
    before = {pod["metadata"]["name"]: process(broken, pod) for pod in all_pods(cluster)}
    faults.break_it(broken, "kubernetes-hung")
    assert site.health(broken) == "healthy"
    faults.undo(broken, "kubernetes-hung")
    faults.break_it(broken, "kubernetes-down")
    victim, pid = next(iter(before.items()))
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: site.health(broken) == "healthy", what="an answer of the others")
    faults.undo(broken, "kubernetes-down")
    assert services.running_pid(services.find(broken, "cluster"))

    def told() -> dict[str, Any] | None:
        [pod] = [pod for pod in all_pods(cluster) if pod["metadata"]["name"] == victim]
        return state(pod)["last"] or None

    assert until(told, what="the end of the killed one")["reason"] == "ContainerStatusUnknown"
    until(lambda: settled(cluster), what="all are ready again")
    after = {pod["metadata"]["name"]: process(broken, pod) for pod in all_pods(cluster)}
    assert set(after) == set(before)
    assert {name for name in before if after[name] != before[name]} == {victim}
