"""Deployments: from one ReplicaSet to the next, without more pods missing or too many than is allowed."""

from __future__ import annotations

import copy
import hashlib
import json

from sandbox.cluster.amounts import share
from sandbox.cluster.answers import Object
from sandbox.cluster.events import note
from sandbox.cluster.rollout_status import deployment_status, progressing
from sandbox.cluster.store import Store
from sandbox.cluster.workloads import is_active, owned, owner_reference

REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_HASH = "pod-template-hash"
_BY = "deployment-controller"


class Deployments:
    """The controller."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        """Take every deployment a step on."""
        for deployment in self._store.list("deployments"):
            sets = owned(self._store, "replicasets", deployment)
            newest = next((one for one in sets if _same_template(one, deployment)), None)
            if newest is None and not deployment["spec"].get("paused"):
                newest = self._new_set(deployment, sets)
                sets.append(newest)
            elif newest is not None:
                newest = self._renumber(newest, sets)
            sets = [newest if newest and one["metadata"]["uid"] == newest["metadata"]["uid"] else one for one in sets]
            if newest is not None:
                self._roll(deployment, newest, [one for one in sets if one is not newest])
                self._forget_old(deployment, newest)
            self._report(deployment, newest)

    def _new_set(self, deployment: Object, sets: list[Object]) -> Object:
        template = copy.deepcopy(deployment["spec"]["template"])
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        template["metadata"].setdefault("labels", {})[_HASH] = digest
        selector = copy.deepcopy(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[_HASH] = digest
        metadata = {"name": f"{deployment['metadata']['name']}-{digest}", "labels": template["metadata"]["labels"]}
        metadata |= {"namespace": deployment["metadata"]["namespace"], "ownerReferences": [owner_reference(deployment)]}
        metadata |= {"annotations": {REVISION: str(_last_revision(sets) + 1)}}
        spec = {"replicas": 0, "selector": selector, "template": template}
        if "minReadySeconds" in deployment["spec"]:
            spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
        head = {"kind": "ReplicaSet", "apiVersion": "apps/v1"}
        made = self._store.create(
            "replicasets", {**head, "metadata": metadata, "spec": spec, "status": {"replicas": 0}}
        )
        text = f'Created new replica set "{made["metadata"]["name"]}"'
        self._store.change(
            "deployments", *_at(deployment), lambda one: progressing(one, "True", "NewReplicaSetCreated", text)
        )
        return made

    def _renumber(self, newest: Object, sets: list[Object]) -> Object:
        """A former template comes back: its ReplicaSet is used again and becomes the newest revision."""
        others = [one for one in sets if one["metadata"]["uid"] != newest["metadata"]["uid"]]
        if _revision(newest) > _last_revision(others):
            return newest
        annotations = newest["metadata"]["annotations"]
        former = (annotations.get(_HISTORY), annotations[REVISION])
        annotations |= {_HISTORY: ",".join(filter(None, former)), REVISION: str(_last_revision(others) + 1)}
        # Its condition stays what the hung rollout made it until there is progress, as a real one's does.
        return self._store.replace("replicasets", newest)

    def _roll(self, deployment: Object, newest: Object, old: list[Object]) -> None:
        if deployment["spec"].get("paused"):
            return
        wanted = deployment["spec"]["replicas"]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(deployment, newest, old)
            return
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
        surge = share(rolling["maxSurge"], wanted, up=True)
        missing = share(rolling["maxUnavailable"], wanted, up=False)
        if not surge and not missing:
            missing = 1
        total = sum(one["spec"]["replicas"] for one in (newest, *old))
        size = newest["spec"]["replicas"]
        if size > wanted:
            newest = self._resize(deployment, newest, wanted)
        elif size < wanted and total < wanted + surge:
            newest = self._resize(deployment, newest, min(wanted, size + wanted + surge - total))
        self._shrink_old(deployment, newest, old, least=wanted - missing)

    def _shrink_old(self, deployment: Object, newest: Object, old: list[Object], *, least: int) -> None:
        total = sum(one["spec"]["replicas"] for one in (newest, *old))
        spare = total - least - (newest["spec"]["replicas"] - _available(newest))
        old = sorted((one for one in old if one["spec"]["replicas"]), key=_revision)
        for place, one in enumerate(old):  # first those that do no work anyway
            ill = min(one["spec"]["replicas"] - _available(one), spare)
            if ill > 0:
                old[place] = self._resize(deployment, one, one["spec"]["replicas"] - ill)
                spare -= ill
        spare = min(spare, sum(_available(one) for one in (newest, *old)) - least)
        for one in old:
            fewer = min(one["spec"]["replicas"], spare)
            if fewer > 0:
                self._resize(deployment, one, one["spec"]["replicas"] - fewer)
                spare -= fewer

    def _recreate(self, deployment: Object, newest: Object, old: list[Object]) -> None:
        for one in old:
            self._resize(deployment, one, 0)
        if not any(is_active(pod) for one in old for pod in owned(self._store, "pods", one)):
            self._resize(deployment, newest, deployment["spec"]["replicas"])

    def _resize(self, deployment: Object, one: Object, size: int) -> Object:
        before = one["spec"]["replicas"]
        if before == size:
            return one
        how = "up" if size > before else "down"
        text = f"Scaled {how} replica set {one['metadata']['name']} from {before} to {size}"
        note(self._store, deployment, "ScalingReplicaSet", text, by=_BY)
        one["spec"]["replicas"] = size
        return self._store.replace("replicasets", one)

    def _forget_old(self, deployment: Object, newest: Object) -> None:
        others = owned(self._store, "replicasets", deployment)
        empty = [
            one
            for one in others
            if one["metadata"]["uid"] != newest["metadata"]["uid"]
            and not one["spec"]["replicas"]
            and not one["status"].get("replicas")
        ]
        empty.sort(key=_revision)
        for one in empty[: max(0, len(empty) - deployment["spec"]["revisionHistoryLimit"])]:
            self._store.remove("replicasets", *_at(one))

    def _report(self, deployment: Object, newest: Object | None) -> None:
        def put(one: Object) -> None:
            # Of the specification that was worked on, not of one that came meanwhile.
            if newest:
                one["metadata"].setdefault("annotations", {})[REVISION] = str(_revision(newest))
            one["status"] = deployment_status(one, deployment["metadata"]["generation"], sets, newest)

        sets = owned(self._store, "replicasets", deployment)
        if newest:
            newest = self._store.find("replicasets", *_at(newest))
        self._store.change("deployments", *_at(deployment), put)


def _same_template(one: Object, deployment: Object) -> bool:
    template = copy.deepcopy(one["spec"]["template"])
    template["metadata"].get("labels", {}).pop(_HASH, None)
    return bool(template == deployment["spec"]["template"])


def _last_revision(sets: list[Object]) -> int:
    return max((_revision(one) for one in sets), default=0)


def _revision(one: Object) -> int:
    return int((one["metadata"].get("annotations") or {}).get(REVISION, 0))


def _available(one: Object) -> int:
    return int((one.get("status") or {}).get("availableReplicas", 0))


def _at(thing: Object) -> tuple[str, str]:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]
