"""The scheduler: every pod gets a node that takes it, or is told why there is none."""

from __future__ import annotations

from sandbox.cluster.answers import Object
from sandbox.cluster.events import note
from sandbox.cluster.store import Store, now_text
from sandbox.cluster.workloads import condition

_BY = "default-scheduler"


def schedule(store: Store) -> None:
    """Give a node to every pod that has none."""
    pods = store.list("pods")
    nodes = store.list("nodes")
    for pod in pods:
        if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            continue
        reasons: dict[str, int] = {}
        fitting = []
        for node in nodes:
            load = sum(one["spec"].get("nodeName") == node["metadata"]["name"] and _takes_room(one) for one in pods)
            if why := _refusal(node, load):
                reasons[why] = reasons.get(why, 0) + 1
            else:
                fitting.append((load, node["metadata"]["name"]))
        if fitting:
            _bind(store, pod, min(fitting)[1])
        else:
            _tell(store, pod, _message(reasons, len(nodes)))


def _refusal(node: Object, load: int) -> str | None:
    if node["spec"].get("unschedulable"):
        return "node(s) were unschedulable"
    ready = condition(node, "Ready")
    if ready and ready["status"] != "True":
        return "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute"):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return "Too many pods" if load >= int(node["status"]["allocatable"]["pods"]) else None


def _takes_room(pod: Object) -> bool:
    return pod["status"].get("phase") not in ("Failed", "Succeeded")


def _bind(store: Store, pod: Object, node: str) -> None:
    pod["spec"]["nodeName"] = node
    others = [one for one in pod["status"].get("conditions") or () if one["type"] != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now_text()}
    pod["status"]["conditions"] = [*others, scheduled]
    store.replace("pods", pod)
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    note(store, pod, "Scheduled", f"Successfully assigned {name} to {node}", by=_BY)


def _message(reasons: dict[str, int], count: int) -> str:
    if not count:
        return "no nodes available to schedule pods"
    listed = ", ".join(f"{number} {why}" for why, number in sorted(reasons.items()))
    after = f"preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling."
    return f"0/{count} nodes are available: {listed}. {after}"


def _tell(store: Store, pod: Object, message: str) -> None:
    told = condition(pod, "PodScheduled")
    if told and told.get("message") == message:
        return
    others = [one for one in pod["status"].get("conditions") or () if one["type"] != "PodScheduled"]
    new = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    new["lastTransitionTime"] = told["lastTransitionTime"] if told else now_text()
    pod["status"]["conditions"] = [*others, new]
    store.replace("pods", pod)
    note(store, pod, "FailedScheduling", message, by=_BY, warning=True)
