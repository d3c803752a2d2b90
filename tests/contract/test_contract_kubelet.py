"""What only nodes do: containers run, write logs, crash, are killed, wait for what is not there. On the stand-in alone."""

from __future__ import annotations

import pytest
from kubernetes import client

from tests.contract.test_contract_objects import refused
from tests.fix_cluster import SHELL, Kube, deployment, rolled_out
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("with_kubelet")


def run(kube: Kube, namespace: str, script: str, **more) -> str:
    """A deployment of one pod that runs a shell script; the pod's name."""
    container = {"command": ["sh", "-c", script], **more}
    kube.apps.create_namespaced_deployment(namespace, deployment("app", replicas=1, image=SHELL, container=container))
    return until(lambda: names(kube, namespace), what="a pod")[0]


def names(kube: Kube, namespace: str) -> list[str]:
    return [one.metadata.name for one in kube.core.list_namespaced_pod(namespace).items]


def container(kube: Kube, namespace: str, pod: str):
    told = kube.core.read_namespaced_pod(pod, namespace).status.container_statuses
    return told[0] if told else None


def waits_for(kube: Kube, namespace: str, pod: str, *reasons: str):
    def look():
        told = container(kube, namespace, pod)
        return told if told and told.state.waiting and told.state.waiting.reason in reasons else None

    return until(look, what=" or ".join(reasons))


def events(kube: Kube, namespace: str, reason: str) -> list[str]:
    found = kube.core.list_namespaced_event(namespace, field_selector=f"reason={reason}").items
    return [one.message for one in found]


def test_a_log_can_be_read_as_a_whole_or_by_its_last_lines(kube: Kube, namespace: str) -> None:
    pod = run(kube, namespace, "for i in 1 2 3; do echo line $i; done; exec sleep 600")
    rolled_out(kube, namespace, "app")
    read = kube.core.read_namespaced_pod_log
    until(lambda: read(pod, namespace) == "line 1\nline 2\nline 3\n", what="the whole log")
    assert read(pod, namespace, tail_lines=1) == "line 3\n"
    with refused(400):
        read(pod, namespace, previous=True)
    with refused(400):
        read(pod, namespace, container="other")
    with refused(404):
        read("nobody", namespace)


def test_a_crash_is_seen_with_its_exit_code_and_the_log_of_the_run_before(kube: Kube, namespace: str) -> None:
    pod = run(kube, namespace, 'echo "no such key"; exit 3')
    told = waits_for(kube, namespace, pod, "CrashLoopBackOff")
    assert (told.last_state.terminated.exit_code, told.last_state.terminated.reason) == (3, "Error")
    assert told.state.waiting.message.startswith("back-off ")
    until(lambda: container(kube, namespace, pod).restart_count >= 2, what="two restarts")
    assert kube.core.read_namespaced_pod_log(pod, namespace, previous=True) == "no such key\n"
    assert kube.core.read_namespaced_pod(pod, namespace).status.phase == "Running"
    assert events(kube, namespace, "BackOff")


def test_who_takes_more_memory_than_its_limit_is_killed(kube: Kube, namespace: str) -> None:
    limit = {"resources": {"limits": {"memory": "1Ki"}}}
    pod = run(kube, namespace, "exec sleep 600", **limit)
    told = waits_for(kube, namespace, pod, "CrashLoopBackOff")
    assert (told.last_state.terminated.exit_code, told.last_state.terminated.reason) == (137, "OOMKilled")


def test_a_container_waits_for_an_image_a_secret_a_key(kube: Kube, namespace: str) -> None:
    reference = {"envFrom": [{"secretRef": {"name": "later"}}]}
    pod = run(kube, namespace, "echo $WORD; exec sleep 600", **reference)
    told = waits_for(kube, namespace, pod, "CreateContainerConfigError")
    assert told.state.waiting.message == 'secret "later" not found'
    assert kube.core.read_namespaced_pod(pod, namespace).status.phase == "Pending"
    kube.core.create_namespaced_secret(namespace, {"metadata": {"name": "later"}, "stringData": {"WORD": "found"}})
    rolled_out(kube, namespace, "app")
    until(lambda: kube.core.read_namespaced_pod_log(pod, namespace) == "found\n", what="its log")
    kube.core.patch_namespaced_secret("later", namespace, {"stringData": {"WORD": "changed"}})
    kube.core.delete_namespaced_pod(pod, namespace)
    [pod] = until(lambda: [name for name in names(kube, namespace) if name != pod], what="another pod")
    rolled_out(kube, namespace, "app")
    until(lambda: kube.core.read_namespaced_pod_log(pod, namespace) == "changed\n", what="the new value")
    template = {"spec": {"containers": [{"name": "main", "image": "nowhere.invalid/none:1"}]}}
    kube.apps.patch_namespaced_deployment("app", namespace, {"spec": {"template": template}})
    [new] = until(lambda: [name for name in names(kube, namespace) if name != pod], what="the new version's pod")
    assert waits_for(kube, namespace, new, "ErrImagePull", "ImagePullBackOff")
    assert any("Failed to pull image" in message for message in events(kube, namespace, "Failed"))


def test_a_pod_that_no_node_takes_says_why(kube: Kube, namespace: str) -> None:
    nodes = [one.metadata.name for one in kube.core.list_node().items]
    for node in nodes:
        kube.core.patch_node(node, {"spec": {"unschedulable": True}})
    try:
        pod = run(kube, namespace, "exec sleep 600")

        def why() -> str | None:
            told = kube.core.read_namespaced_pod(pod, namespace).status.conditions or []
            return next((one.message for one in told if (one.type, one.status) == ("PodScheduled", "False")), None)

        assert until(why, what="why").startswith("0/2 nodes are available: 2 node(s) were unschedulable.")
        assert events(kube, namespace, "FailedScheduling")
    finally:
        for node in nodes:
            kube.core.patch_node(node, {"spec": {"unschedulable": None}})
    rolled_out(kube, namespace, "app")


def test_what_pods_use_is_said_unless_the_cluster_has_no_metrics(kube: Kube, namespace: str) -> None:
    pod = run(kube, namespace, "exec sleep 600", resources={"limits": {"cpu": "1", "memory": "64Mi"}})
    rolled_out(kube, namespace, "app")
    metrics = client.CustomObjectsApi(kube.client())
    asked = ("metrics.k8s.io", "v1beta1", namespace, "pods")
    [found] = metrics.list_namespaced_custom_object(*asked)["items"]
    assert found["metadata"]["name"] == pod
    usage = found["containers"][0]["usage"]
    assert usage["cpu"].endswith("m") and usage["memory"].endswith("Ki")
    kube.core.patch_namespace(namespace, {"metadata": {"annotations": {"sandbox.clickview/metrics": "absent"}}})
    with refused(404):
        metrics.list_namespaced_custom_object(*asked)
