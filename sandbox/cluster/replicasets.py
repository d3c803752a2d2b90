"""ReplicaSets: as many pods of one template as are wanted."""

from __future__ import annotations

import copy
import time

from sandbox.cluster.answers import Object, Refused
from sandbox.cluster.defaults import random_end
from sandbox.cluster.events import note
from sandbox.cluster.operations import Operations
from sandbox.cluster.resources import RESOURCES
from sandbox.cluster.store import Store, now_text
from sandbox.cluster.workloads import condition, end_pod, is_active, is_available, is_ready, owned, owner_reference

_BY = "replicaset-controller"
_AGAIN_SECONDS = 1.0


class ReplicaSets:
    """The controller."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._not_before: dict[str, float] = {}  # a set whose last pod was refused

    def sync(self) -> None:
        """Make and delete pods, and say how many there are."""
        for one in self._store.list("replicasets"):
            pods = [pod for pod in owned(self._store, "pods", one) if is_active(pod)]
            trouble = self._fill(one, pods)
            self._report(one, trouble)

    def _fill(self, one: Object, pods: list[Object]) -> str | None:
        missing = one["spec"]["replicas"] - len(pods)
        if missing < 0:
            for pod in sorted(pods, key=_worth)[:-missing]:
                end_pod(self._store, pod)
                self._note(one, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
            return None
        uid = one["metadata"]["uid"]
        if missing and self._not_before.get(uid, 0) > time.monotonic():
            return (condition(one, "ReplicaFailure") or {}).get("message")
        for _ in range(missing):
            try:
                made = Operations(self._store).create(RESOURCES["pods"], one["metadata"]["namespace"], _new_pod(one))
            except Refused as refusal:
                self._not_before[uid] = time.monotonic() + _AGAIN_SECONDS
                self._note(one, "FailedCreate", f"Error creating: {refusal.message}", warning=True)
                return refusal.message
            self._note(one, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        self._not_before.pop(uid, None)
        return None

    def _report(self, one: Object, trouble: str | None) -> None:
        pods = [pod for pod in owned(self._store, "pods", one) if is_active(pod)]
        seconds = one["spec"].get("minReadySeconds", 0)
        status: Object = {"observedGeneration": one["metadata"]["generation"], "replicas": len(pods)}
        counts = {
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "availableReplicas": sum(is_available(pod, seconds) for pod in pods),
        }
        status |= {name: count for name, count in counts.items() if count}
        if trouble:
            told = condition(one, "ReplicaFailure") or {"lastTransitionTime": now_text()}
            failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": trouble}
            status["conditions"] = [told | failure]
        place = one["metadata"]["namespace"], one["metadata"]["name"]
        self._store.change("replicasets", *place, lambda thing: thing.update(status=status))

    def _note(self, one: Object, reason: str, message: str, *, warning: bool = False) -> None:
        note(self._store, one, reason, message, by=_BY, warning=warning)


def _new_pod(one: Object) -> Object:
    template = copy.deepcopy(one["spec"]["template"])
    metadata = template["metadata"] | {"name": f"{one['metadata']['name']}-{random_end()}"}
    metadata |= {"generateName": f"{one['metadata']['name']}-", "ownerReferences": [owner_reference(one)]}
    return {"metadata": metadata, "spec": template["spec"]}


def _worth(pod: Object) -> tuple[bool, bool, bool, int, float]:
    """What is of least use comes first: without a node, not running, not ready, restarted often, young."""
    status = pod["status"]
    restarts = sum(one.get("restartCount", 0) for one in status.get("containerStatuses") or ())
    age = -int(pod["metadata"]["resourceVersion"])
    return bool(pod["spec"].get("nodeName")), status.get("phase") == "Running", is_ready(pod), -restarts, age
