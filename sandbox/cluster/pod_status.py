"""What the API shows of a pod."""

from __future__ import annotations

from sandbox.cluster.answers import Object
from sandbox.cluster.run import Run
from sandbox.cluster.store import now_text
from sandbox.cluster.workloads import condition

_ADDRESS = "127.0.0.1"


def pod_status(pod: Object, run: Run) -> Object:
    """A pod's status as its container has it now."""
    old: Object = pod["status"]
    new = {key: value for key, value in old.items() if key not in ("conditions", "containerStatuses")}
    new["phase"] = _phase(old, run)
    new |= {"hostIP": _ADDRESS, "podIP": _ADDRESS, "podIPs": [{"ip": _ADDRESS}]}
    new.setdefault("startTime", now_text())
    new["qosClass"] = "Burstable"
    new["containerStatuses"] = [run.status(pod["spec"]["containers"][0])]
    name = pod["spec"]["containers"][0]["name"]
    ended = new["phase"] in ("Failed", "Succeeded")
    why = ("PodFailed" if new["phase"] == "Failed" else "PodCompleted") if ended else "ContainersNotReady"
    unready = (
        {}
        if run.ready
        else {"reason": why} | ({} if ended else {"message": f"containers with unready status: [{name}]"})
    )
    scheduled = [one for one in old.get("conditions") or () if one["type"] == "PodScheduled"]
    new["conditions"] = [
        _condition(pod, "Initialized", True, {}),
        _condition(pod, "Ready", run.ready, unready),
        _condition(pod, "ContainersReady", run.ready, unready),
        *scheduled,
    ]
    return new


def _phase(old: Object, run: Run) -> str:
    if old.get("phase") in ("Failed", "Succeeded"):
        return str(old["phase"])
    if run.final:
        return "Succeeded" if run.final["exitCode"] == 0 else "Failed"
    return "Running" if run.has_run else "Pending"


def _condition(pod: Object, kind: str, holds: bool, why: Object) -> Object:
    told = condition(pod, kind)
    status = "True" if holds else "False"
    since = told["lastTransitionTime"] if told and told["status"] == status else now_text()
    return {"type": kind, "status": status, "lastTransitionTime": since, "lastProbeTime": None, **why}
