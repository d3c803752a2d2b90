"""Rollouts: step by step, with a number each, back to a former one, and what is said of one that hangs."""

from __future__ import annotations

from kubernetes import client

from tests.contract.test_contract_objects import refused
from tests.fix_cluster import Kube, deployment, rolled_out
from tests.waiting import until

_REVISION = "deployment.kubernetes.io/revision"
_MISSING = "nowhere.invalid/none:1"


def condition(one, kind: str):
    found = [told for told in one.status.conditions or [] if told.type == kind]
    return (found[0].status, found[0].reason) if found else None


def sets(kube: Kube, namespace: str) -> dict[str, tuple[str, int]]:
    """Revision and size of each ReplicaSet."""
    found = kube.apps.list_namespaced_replica_set(namespace).items
    return {one.metadata.name: (one.metadata.annotations[_REVISION], one.spec.replicas) for one in found}


def set_image(kube: Kube, namespace: str, name: str, image: str) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": image}]}}
    kube.apps.patch_namespaced_deployment(name, namespace, {"spec": {"template": template}})


def test_a_rollout_makes_a_replicaset_and_the_way_back_uses_the_former_one(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_deployment(namespace, deployment("app"))
    first = rolled_out(kube, namespace, "app")
    assert condition(first, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert condition(first, "Available") == ("True", "MinimumReplicasAvailable")
    [(former, told)] = sets(kube, namespace).items()
    assert told == ("1", 2)
    template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}
    kube.apps.patch_namespaced_deployment("app", namespace, {"spec": {"template": template}})
    assert rolled_out(kube, namespace, "app").metadata.annotations[_REVISION] == "2"
    assert sets(kube, namespace)[former] == ("1", 0)
    back = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": None}}}
    kube.apps.patch_namespaced_deployment("app", namespace, {"spec": {"template": back}})
    assert rolled_out(kube, namespace, "app").metadata.annotations[_REVISION] == "3"
    assert len(sets(kube, namespace)) == 2
    assert sets(kube, namespace)[former] == ("3", 2)


def test_pods_belong_to_their_replicaset_and_are_replaced(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_deployment(namespace, deployment("app"))
    rolled_out(kube, namespace, "app")
    pods = kube.core.list_namespaced_pod(namespace, label_selector="app=app").items
    [replicaset] = sets(kube, namespace)
    assert {one.metadata.owner_references[0].name for one in pods} == {replicaset}
    assert all(one.metadata.name.startswith(f"{replicaset}-") for one in pods)
    kube.core.delete_namespaced_pod(pods[0].metadata.name, namespace)
    until(lambda: pods[0].metadata.name not in names(kube, namespace), what="the pod is gone")
    rolled_out(kube, namespace, "app")
    assert len(names(kube, namespace)) == 2
    kube.apps.delete_namespaced_deployment("app", namespace)
    until(lambda: not names(kube, namespace) and not sets(kube, namespace), what="all that it made is gone")


def test_failed_pods_stay_until_they_are_deleted_and_others_take_their_place(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_deployment(namespace, deployment("app"))
    rolled_out(kube, namespace, "app")
    failed = names(kube, namespace)[0]
    evicted = {"status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}}
    kube.core.patch_namespaced_pod_status(failed, namespace, evicted)
    until(lambda: len(names(kube, namespace)) == 3, what="another pod")
    rolled_out(kube, namespace, "app")
    chosen = {"label_selector": "app=app", "field_selector": "status.phase=Failed"}
    [pod] = kube.core.list_namespaced_pod(namespace, **chosen).items
    assert (pod.metadata.name, pod.status.reason) == (failed, "Evicted")
    kube.core.delete_collection_namespaced_pod(namespace, **chosen)
    until(lambda: failed not in names(kube, namespace), what="the failed pod is gone")
    assert len(names(kube, namespace)) == 2


def test_a_rollout_that_hangs_keeps_the_old_pods_and_says_so_at_its_deadline(kube: Kube, namespace: str) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    body = deployment("app", strategy=strategy, progressDeadlineSeconds=2)
    kube.apps.create_namespaced_deployment(namespace, body)
    rolled_out(kube, namespace, "app")
    before = set(names(kube, namespace))
    set_image(kube, namespace, "app", _MISSING)

    def hung():
        one = kube.apps.read_namespaced_deployment("app", namespace)
        return one if condition(one, "Progressing") == ("False", "ProgressDeadlineExceeded") else None

    one = until(hung, what="the deadline of the rollout")
    assert (one.status.updated_replicas, one.status.available_replicas) == (1, 2)
    assert before < set(names(kube, namespace))
    [new] = set(names(kube, namespace)) - before
    pod = until(lambda: waits(kube, namespace, new), what="the reason of the new pod")
    assert pod.state.waiting.reason in ("ErrImagePull", "ImagePullBackOff")
    set_image(kube, namespace, "app", deployment("app")["spec"]["template"]["spec"]["containers"][0]["image"])
    rolled_out(kube, namespace, "app")
    until(lambda: set(names(kube, namespace)) == before, what="the old pods alone")
    done = ("True", "NewReplicaSetAvailable")
    until(lambda: condition(kube.apps.read_namespaced_deployment("app", namespace), "Progressing") == done, what="done")


def test_a_quota_keeps_pods_from_being_made(kube: Kube, namespace: str) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/pods": "1"}}}
    kube.core.create_namespaced_resource_quota(namespace, quota)
    until(lambda: kube.core.read_namespaced_resource_quota("few", namespace).status.used, what="the quota counts")
    kube.apps.create_namespaced_deployment(namespace, deployment("app"))

    def refused_pods():
        one = kube.apps.read_namespaced_deployment("app", namespace)
        return condition(one, "ReplicaFailure") == ("True", "FailedCreate")

    until(refused_pods, what="ReplicaFailure")
    [replicaset] = kube.apps.list_namespaced_replica_set(namespace).items
    assert "exceeded quota: few" in replicaset.status.conditions[0].message
    events = kube.core.list_namespaced_event(namespace, field_selector="reason=FailedCreate").items
    assert events and "exceeded quota: few" in events[0].message
    kube.core.delete_namespaced_resource_quota("few", namespace)
    rolled_out(kube, namespace, "app")


def test_an_autoscaler_pushes_a_size_back_into_its_limits_but_not_zero(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_deployment(namespace, deployment("app", replicas=2))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    scaling = client.AutoscalingV2Api(kube.client())
    body = {"metadata": {"name": "app"}, "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}}
    scaling.create_namespaced_horizontal_pod_autoscaler(namespace, body)

    def size() -> int:
        return kube.apps.read_namespaced_deployment_scale("app", namespace).spec.replicas or 0

    for wanted, becomes in ((5, 3), (1, 2)):
        kube.apps.patch_namespaced_deployment_scale("app", namespace, {"spec": {"replicas": wanted}})
        until(lambda becomes=becomes: size() == becomes, what=f"{wanted} becomes {becomes}")
    kube.apps.patch_namespaced_deployment_scale("app", namespace, {"spec": {"replicas": 0}})

    def disabled() -> bool:
        told = scaling.read_namespaced_horizontal_pod_autoscaler("app", namespace).status.conditions or []
        return any((one.type, one.reason) == ("ScalingActive", "ScalingDisabled") for one in told)

    until(disabled, what="ScalingDisabled")
    assert size() == 0
    with refused(422):
        scaling.patch_namespaced_horizontal_pod_autoscaler("app", namespace, {"spec": {"minReplicas": 9}})


def test_a_budget_stops_an_eviction_but_no_deletion(kube: Kube, namespace: str) -> None:
    kube.apps.create_namespaced_deployment(namespace, deployment("app"))
    rolled_out(kube, namespace, "app")
    policy = client.PolicyV1Api(kube.client())
    spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "app"}}}
    policy.create_namespaced_pod_disruption_budget(namespace, {"metadata": {"name": "app"}, "spec": spec})

    def counted() -> bool:
        status = policy.read_namespaced_pod_disruption_budget("app", namespace).status
        return bool(
            status and (status.current_healthy, status.desired_healthy, status.disruptions_allowed) == (2, 2, 0)
        )

    until(counted, what="the budget counts")
    name = names(kube, namespace)[0]
    with refused(429):
        kube.core.create_namespaced_pod_eviction(name, namespace, {"metadata": {"name": name, "namespace": namespace}})
    kube.core.delete_namespaced_pod(name, namespace)
    until(lambda: name not in names(kube, namespace), what="the pod is gone")
    rolled_out(kube, namespace, "app")
    until(counted, what="the budget counts again")
    policy.patch_namespaced_pod_disruption_budget("app", namespace, {"spec": {"minAvailable": 1}})
    until(lambda: not counted(), what="one may go")
    name = names(kube, namespace)[0]
    kube.core.create_namespaced_pod_eviction(name, namespace, {"metadata": {"name": name, "namespace": namespace}})
    until(lambda: name not in names(kube, namespace), what="the evicted pod is gone")


def names(kube: Kube, namespace: str) -> list[str]:
    return [one.metadata.name for one in kube.core.list_namespaced_pod(namespace).items]


def waits(kube: Kube, namespace: str, pod: str):
    told = kube.core.read_namespaced_pod(pod, namespace).status.container_statuses
    return told[0] if told and told[0].state.waiting and told[0].state.waiting.reason != "ContainerCreating" else None
