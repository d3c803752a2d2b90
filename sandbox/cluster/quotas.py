"""How many pods a namespace may have."""

from __future__ import annotations

from sandbox.cluster.answers import Object, Refused
from sandbox.cluster.store import Store

# `pods` counts those that have not ended, `count/pods` every object, also of a pod that failed long ago.
_COUNTED = ("pods", "count/pods")


def used_pods(store: Store, namespace: str) -> dict[str, int]:
    """What counts against each kind of quota now."""
    pods = store.list("pods", namespace)
    alive = [pod for pod in pods if pod["status"].get("phase") not in ("Failed", "Succeeded")]
    return {"pods": len(alive), "count/pods": len(pods)}


def quota_refusal(store: Store, pod: Object) -> Refused | None:
    """Why one more pod is too many, or None."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    used = used_pods(store, namespace)
    for quota in store.list("resourcequotas", namespace):
        hard = quota["spec"].get("hard") or {}
        for kind in _COUNTED:
            if kind in hard and used[kind] + 1 > int(hard[kind]):
                why = f"requested: {kind}=1, used: {kind}={used[kind]}, limited: {kind}={hard[kind]}"
                message = f'pods "{name}" is forbidden: exceeded quota: {quota["metadata"]["name"]}, {why}'
                return Refused(403, "Forbidden", message, {"name": name, "kind": "pods"})
    return None


def sync_quotas(store: Store) -> None:
    """Have every quota say what is used of it."""
    for quota in store.list("resourcequotas"):
        used = used_pods(store, quota["metadata"]["namespace"])
        hard = quota["spec"].get("hard") or {}
        counted = {kind: str(used[kind]) for kind in _COUNTED if kind in hard}
        quota["status"] = {"hard": hard, "used": counted}
        store.replace("resourcequotas", quota)
