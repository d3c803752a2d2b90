"""Faults of the cluster and of the application in it. Each does what a real cluster is seen to do."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from recovery.errors import GateRefused, TargetUnreachable
from recovery.waiting import wait_until
from sandbox import processes, services, site
from sandbox.cluster.answers import Object
from sandbox.cluster.images import NEEDS_NEW_KEY, UNKNOWN
from sandbox.cluster.places import LIVENESS, LOAD, pod_folder
from sandbox.faults.report import Broken, Options
from sandbox.layout import PATIENCE_SECONDS, Sandbox
from sandbox.proxy import control_file

if TYPE_CHECKING:
    from sandbox.cluster.administration import Administration

_QUOTA = "clickview-pods"
_EVICTED = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 812Mi."
_TOO_SMALL = {"requests": {"memory": "8Mi"}, "limits": {"memory": "16Mi"}}
_OVERLOAD = 1.5  # of what the pods that there are can carry; 5 instead of 3 can
# Somebody was in a hurry: with the manifest's maxUnavailable of 0 the old pods would go on serving.
_ALL_AT_ONCE = {"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}


def kill_pod(sandbox: Sandbox, _options: Options) -> Broken:
    """Evict one backend pod: it stays behind as Failed, and another takes its place."""
    with administration(sandbox) as cluster:
        pod = _some_pods(cluster)[0]
        cluster.evict(pod, _EVICTED)
    name = pod["metadata"]["name"]
    return Broken(f"evicted {name}", details={"pod": name}, kept={"pods": [pod]})


def kill_all_pods(sandbox: Sandbox, _options: Options) -> Broken:
    """Evict every backend pod; they stay as Failed and use up a quota, so that no new ones come until they are deleted."""
    with administration(sandbox) as cluster:
        pods = _some_pods(cluster)
        count = cluster.limit_pods(_QUOTA)
        for pod in pods:
            cluster.evict(pod, _EVICTED)
    said = (
        f"evicted all {len(pods)} backend pods; quota {_QUOTA} lets no more than {count} pods be, failed ones counted"
    )
    return Broken(said, details={"pods": len(pods)}, kept={"pods": pods}, ill=True)


def clear_pods(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Delete the failed pods, and the quota if there is one."""
    with administration(sandbox) as cluster:
        cluster.delete_pods(kept["pods"])
        cluster.drop_quota(_QUOTA)
    return "the failed pods are deleted"


def crash_loop(sandbox: Sandbox, _options: Options) -> Broken:
    """Roll out a version of the backend that ends at once, with 1, and says why in its log."""
    return _roll_out(sandbox, {"image": f"clickview/backend:{NEEDS_NEW_KEY}"})


def bad_image(sandbox: Sandbox, _options: Options) -> Broken:
    """Roll out a version of the backend whose image is nowhere to be had."""
    return _roll_out(sandbox, {"image": f"clickview/backend:{UNKNOWN}"})


def out_of_memory(sandbox: Sandbox, _options: Options) -> Broken:
    """Roll out the backend with a memory limit that is too small for it."""
    return _roll_out(sandbox, {"resources": _TOO_SMALL})


def put_template_back(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Roll out what ran before."""
    with administration(sandbox) as cluster:
        paths = [("/spec/template", kept["template"]), ("/spec/strategy", kept["strategy"])]
        cluster.patch_backend([{"op": "replace", "path": path, "value": value} for path, value in paths])
    return "the backend's deployment is as before"


def no_capacity(sandbox: Sandbox, _options: Options) -> Broken:
    """Cordon every node and delete the backend's pods: new ones stay Pending."""
    with administration(sandbox) as cluster:
        pods = _some_pods(cluster)
        nodes = cluster.patch_nodes({"spec": {"unschedulable": True}})
        cluster.delete_pods(pods, grace_seconds=0)
    said = f"cordoned {', '.join(nodes)} and deleted {len(pods)} backend pods"
    return Broken(said, kept={"nodes": nodes}, ill=True)


def uncordon(sandbox: Sandbox, _kept: dict[str, Any]) -> str:
    """Let the nodes take pods again."""
    with administration(sandbox) as cluster:
        nodes = cluster.patch_nodes({"spec": {"unschedulable": None}})
    return f"{', '.join(nodes)} take pods again"


def slow_application(sandbox: Sandbox, _options: Options) -> Broken:
    """Send the backend half as many requests again as its pods can carry: most are refused, the others come late."""
    with administration(sandbox) as cluster:
        load = _OVERLOAD * cluster.backend()["spec"]["replicas"]
        cluster.annotate_service({LOAD: str(load)})
    said = f"the backend gets as many requests as {load} of its pods could answer"
    return Broken(said, details={"load": str(load)})


def take_load_away(sandbox: Sandbox, _kept: dict[str, Any]) -> str:
    """Send no more requests than the pods can carry."""
    with administration(sandbox) as cluster:
        cluster.annotate_service({LOAD: None})
    return "the backend has no more load than it can carry"


def hang_pods(sandbox: Sandbox, _options: Options) -> Broken:
    """Freeze every backend pod; liveness probes are off, so that the cluster does not restart them by itself."""
    with administration(sandbox) as cluster:
        pods = _some_pods(cluster)
        cluster.patch_nodes({"metadata": {"annotations": {LIVENESS: "off"}}})
    pids = [pid for pod in pods if (pid := _pid(sandbox, pod))]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return Broken(f"froze {len(pids)} backend pods", details={"pods": len(pids)}, kept={"pods": pods})


def thaw_pods(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Let the pods that are still there go on."""
    for pod in kept["pods"]:
        if pid := _pid(sandbox, pod):
            os.kill(pid, signal.SIGCONT)
    with administration(sandbox) as cluster:
        cluster.patch_nodes({"metadata": {"annotations": {LIVENESS: None}}})
    return "the pods go on"


def cut_database(sandbox: Sandbox, _options: Options) -> Broken:
    """Cut the pods' way to the database; everybody else reaches it."""
    return _cut(sandbox, "pods-primary", "database")


def cut_cache(sandbox: Sandbox, _options: Options) -> Broken:
    """Cut the pods' way to Redis; everybody else reaches it."""
    return _cut(sandbox, "pods-redis", "cache")


def mend_way(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Open the way again."""
    control_file(sandbox, kept["side"]).unlink(missing_ok=True)
    return f"the pods reach the {kept['what']} again"


def stop_kubernetes(sandbox: Sandbox, _options: Options) -> Broken:
    """Stop the cluster's API; pods and the Service before them go on."""
    services.stop(services.find(sandbox, "cluster"))
    return Broken("the cluster's API is stopped; its pods go on")


def freeze_kubernetes(sandbox: Sandbox, _options: Options) -> Broken:
    """Freeze the cluster's API: it takes connections and never answers; pods go on."""
    pid = services.running_pid(services.find(sandbox, "cluster"))
    if pid is None:
        raise GateRefused("the cluster's API does not run", "see recover sandbox status")
    os.kill(pid, signal.SIGSTOP)
    return Broken(f"the cluster's API is frozen (process {pid} stopped)", kept={"pid": pid})


def start_kubernetes(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Have the API answer again."""
    pid = services.running_pid(services.find(sandbox, "cluster"))
    if pid and pid == kept.get("pid"):
        os.kill(pid, signal.SIGCONT)
    site.start_service(sandbox, "cluster")
    up = wait_until(
        lambda: next(one.state for one in site.status(sandbox) if one.name == "cluster") == "up", PATIENCE_SECONDS
    )
    if not up:
        raise TargetUnreachable("the cluster's API does not come up", "see services/cluster/log in the folder")
    return "the cluster's API answers again"


def administration(sandbox: Sandbox) -> AbstractContextManager[Administration]:
    """The administrator. The client is imported by who needs it: the list of faults shall not wait for it."""
    from sandbox.cluster import administration as opened

    return opened.administration(sandbox)


def _some_pods(cluster: Administration) -> list[Object]:
    pods = cluster.backend_pods()
    if not pods:
        raise GateRefused("the backend has no pod", "see kubectl get pods, or undo the fault that took them")
    return pods


def _roll_out(sandbox: Sandbox, container: Object) -> Broken:
    with administration(sandbox) as cluster:
        spec = cluster.backend()["spec"]
        kept = {"template": spec["template"], "strategy": spec["strategy"]}
        name = spec["template"]["spec"]["containers"][0]["name"]
        template = {"template": {"spec": {"containers": [{"name": name, **container}]}}}
        cluster.patch_backend({"spec": _ALL_AT_ONCE | template})
    what = container.get("image") or "a memory limit of 16Mi"
    return Broken(f"rolled out the backend with {what}, all pods at once", kept=kept, ill=True)


def _cut(sandbox: Sandbox, side: str, what: str) -> Broken:
    control_file(sandbox, side).write_text("cut\n")
    said = f"the pods do not reach the {what}; everybody else does"
    return Broken(said, kept={"side": side, "what": what}, ill=True)


def _pid(sandbox: Sandbox, pod: Object) -> int | None:
    return processes.noted_pid(pod_folder(sandbox.folder, pod["metadata"]["uid"]) / "pid")
