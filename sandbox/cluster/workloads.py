"""What the controllers ask of pods and of who owns whom."""

from __future__ import annotations

from sandbox.cluster.answers import Object
from sandbox.cluster.store import Store, seconds_since


def condition(thing: Object, kind: str) -> Object | None:
    """One condition of an object's status."""
    conditions = (thing.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), None)


def is_ready(pod: Object) -> bool:
    """Whether a pod says that it is ready."""
    return (condition(pod, "Ready") or {}).get("status") == "True"


def is_available(pod: Object, seconds: int) -> bool:
    """Whether a pod has been ready for long enough."""
    if not is_ready(pod):
        return False
    return not seconds or seconds_since((condition(pod, "Ready") or {})["lastTransitionTime"]) >= seconds


def is_active(pod: Object) -> bool:
    """Whether a pod counts: it has not ended, and is not being deleted."""
    return pod["status"].get("phase") not in ("Failed", "Succeeded") and "deletionTimestamp" not in pod["metadata"]


def owned(store: Store, plural: str, owner: Object) -> list[Object]:
    """The objects that another one made."""
    uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
    return [
        thing
        for thing in store.list(plural, namespace)
        if any(one["uid"] == uid and one.get("controller") for one in thing["metadata"].get("ownerReferences") or ())
    ]


def owner_reference(owner: Object) -> Object:
    """How an object says who made it."""
    head = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return {**head, "uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def sweep(store: Store) -> None:
    """Delete what was made by an object that is no more."""
    alive = {one["metadata"]["uid"] for plural in ("deployments", "replicasets") for one in store.list(plural)}
    for plural in ("replicasets", "pods"):
        for thing in store.list(plural):
            owners = thing["metadata"].get("ownerReferences") or []
            if not owners or any(owner["uid"] in alive for owner in owners):
                continue
            namespace, name = thing["metadata"]["namespace"], thing["metadata"]["name"]
            if plural == "replicasets":
                store.remove(plural, namespace, name)
            elif "deletionTimestamp" not in thing["metadata"]:
                end_pod(store, thing)


def end_pod(store: Store, pod: Object) -> None:
    """Delete a pod as a controller does: with its time to end."""
    from sandbox.cluster.operations import Operations
    from sandbox.cluster.resources import RESOURCES

    Operations(store).delete(RESOURCES["pods"], pod["metadata"]["namespace"], pod["metadata"]["name"], {})
