"""What a deployment says of its rollout. Its conditions grow old as real ones do."""

from __future__ import annotations

from sandbox.cluster.amounts import share
from sandbox.cluster.answers import Object
from sandbox.cluster.store import now_text, seconds_since
from sandbox.cluster.workloads import condition


def deployment_status(deployment: Object, generation: int, sets: list[Object], newest: Object | None) -> Object:
    """The status of a deployment, with conditions that follow from the one it had."""
    old: Object = deployment.get("status") or {}
    wanted = deployment["spec"]["replicas"]
    total, ready, available = (_sum(sets, name) for name in ("replicas", "readyReplicas", "availableReplicas"))
    counts = {
        "replicas": total,
        "updatedReplicas": _sum([newest], "replicas") if newest else 0,
        "readyReplicas": ready,
        "availableReplicas": available,
        # While more than wanted are there, those of the surge count, too.
        "unavailableReplicas": max(0, max(total, wanted) - available),
    }
    new: Object = {"observedGeneration": generation, "conditions": old.get("conditions") or []}
    new |= {name: count for name, count in counts.items() if count}
    holder = {"spec": deployment["spec"], "status": new}
    _tell_available(holder, wanted, available)
    if newest:
        _tell_progress(holder, old, newest)
    failures = [told for one in sets if (told := condition(one, "ReplicaFailure"))]
    new["conditions"] = [one for one in new["conditions"] if one["type"] != "ReplicaFailure"]
    if failures:
        new["conditions"].append(failures[-1])
    return new


def progressing(holder: Object, status: str, reason: str, message: str) -> None:
    """Put the condition Progressing; how long it is what it is goes on."""
    _put(holder, "Progressing", status, reason, message)


def _tell_available(holder: Object, wanted: int, available: int) -> None:
    strategy = holder["spec"]["strategy"]
    rolling = strategy.get("rollingUpdate") or {"maxUnavailable": 0}
    least = wanted - share(rolling["maxUnavailable"], wanted, up=False) if strategy["type"] != "Recreate" else wanted
    if available >= least:
        told = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        told = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    _put(holder, "Available", *told)


def _tell_progress(holder: Object, old: Object, newest: Object) -> None:
    new, spec, name = holder["status"], holder["spec"], newest["metadata"]["name"]
    told = condition(holder, "Progressing")
    if (
        told
        and told["reason"] == "NewReplicaSetAvailable"
        and _count(new, "replicas") == _count(new, "updatedReplicas")
    ):
        return  # what becomes of its pods later is no news of the rollout
    if _is_complete(new, spec["replicas"]):
        progressing(holder, "True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    elif _got_on(old, new):
        if told and told["reason"] == "ReplicaSetUpdated":
            new["conditions"].remove(told)  # its time begins again
        progressing(holder, "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    elif told and told["reason"] not in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded"):
        waited = seconds_since(told["lastUpdateTime"])
        if waited > spec["progressDeadlineSeconds"] and not spec.get("paused"):
            progressing(holder, "False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')


def _is_complete(status: Object, wanted: int) -> bool:
    counts = {_count(status, name) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {wanted}


def _got_on(old: Object, new: Object) -> bool:
    def aged(status: Object) -> int:
        return _count(status, "replicas") - _count(status, "updatedReplicas")

    return (
        _count(new, "updatedReplicas") > _count(old, "updatedReplicas")
        or aged(new) < aged(old)
        or _count(new, "readyReplicas") > _count(old, "readyReplicas")
        or _count(new, "availableReplicas") > _count(old, "availableReplicas")
    )


def _put(holder: Object, kind: str, status: str, reason: str, message: str) -> None:
    conditions = holder.setdefault("status", {}).setdefault("conditions", [])
    told, now = condition(holder, kind), now_text()
    new = {"type": kind, "status": status, "reason": reason, "message": message, "lastUpdateTime": now}
    if told and (told["status"], told["reason"]) == (status, reason):
        return
    new["lastTransitionTime"] = told["lastTransitionTime"] if told and told["status"] == status else now
    if told:
        conditions.remove(told)
    conditions.append(new)


def _sum(sets: list[Object], name: str) -> int:
    return sum(_count(one.get("status") or {}, name) for one in sets)


def _count(status: Object, name: str) -> int:
    return int(status.get(name, 0))
