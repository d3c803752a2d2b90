"""HorizontalPodAutoscalers: they keep a deployment within their limits.

They have no metrics to go by, as in a cluster whose metrics server is slow: a size within the limits is left alone.
"""

from __future__ import annotations

from sandbox.cluster.answers import Object
from sandbox.cluster.events import note
from sandbox.cluster.store import Store, now_text
from sandbox.cluster.workloads import condition


def sync_autoscalers(store: Store) -> None:
    """Push every deployment back into the limits of its autoscaler; one of size 0 is left alone."""
    for autoscaler in store.list("horizontalpodautoscalers"):
        spec, namespace = autoscaler["spec"], autoscaler["metadata"]["namespace"]
        deployment = store.find("deployments", namespace, spec["scaleTargetRef"]["name"])
        if deployment is None:
            _report(store, autoscaler, 0, 0, {"AbleToScale": ("False", "FailedGetScale", "no such deployment")})
            continue
        size = deployment["spec"]["replicas"]
        if size == 0:
            off = ("False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
            _report(store, autoscaler, 0, 0, {"ScalingActive": off})
            continue
        wanted = min(max(size, spec["minReplicas"]), spec["maxReplicas"])
        if wanted != size:
            deployment["spec"]["replicas"] = wanted
            store.replace("deployments", deployment)
            limit = "below the minimum" if wanted > size else "above the maximum"
            text = f"New size: {wanted}; reason: Current number of replicas {limit} of Spec"
            note(store, autoscaler, "SuccessfulRescale", text, by="horizontal-pod-autoscaler")
        able = ("True", "ReadyForNewScale", "recommended size matches current size")
        _report(store, autoscaler, size, wanted, {"AbleToScale": able})


def _report(store: Store, autoscaler: Object, current: int, wanted: int, told: dict[str, tuple[str, str, str]]) -> None:
    conditions = []
    for kind, (status, reason, message) in told.items():
        before = condition(autoscaler, kind) or {}
        since = before.get("lastTransitionTime") if before.get("status") == status else now_text()
        conditions.append({"type": kind, "status": status, "reason": reason, "message": message})
        conditions[-1]["lastTransitionTime"] = since or now_text()
    autoscaler["status"] = {"currentReplicas": current, "desiredReplicas": wanted, "conditions": conditions}
    store.replace("horizontalpodautoscalers", autoscaler)
