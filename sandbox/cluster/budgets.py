"""PodDisruptionBudgets: how many pods may be missing on purpose."""

from __future__ import annotations

from sandbox.cluster.amounts import share
from sandbox.cluster.answers import Object
from sandbox.cluster.selectors import by_specification
from sandbox.cluster.store import Store
from sandbox.cluster.workloads import is_ready


def budgets_of(store: Store, pod: Object) -> list[Object]:
    """The budgets that cover a pod."""
    budgets = store.list("poddisruptionbudgets", pod["metadata"]["namespace"])
    return [budget for budget in budgets if by_specification(budget["spec"].get("selector"))(pod)]


def sync_budgets(store: Store) -> None:
    """Have every budget say how many pods it has, needs and can spare."""
    for budget in store.list("poddisruptionbudgets"):
        covers = by_specification(budget["spec"].get("selector"))
        pods = [pod for pod in store.list("pods", budget["metadata"]["namespace"]) if covers(pod)]
        alive = [pod for pod in pods if pod["status"].get("phase") not in ("Failed", "Succeeded")]
        healthy = sum(is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in alive)
        expected = _expected(store, pods)
        if "maxUnavailable" in budget["spec"]:
            wanted = max(0, expected - share(budget["spec"]["maxUnavailable"], expected, up=True))
        else:
            wanted = share(budget["spec"].get("minAvailable", 1), expected, up=True)
        budget["status"] = {
            "observedGeneration": budget["metadata"]["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
            "expectedPods": expected,
            "disruptionsAllowed": max(0, healthy - wanted),
        }
        store.replace("poddisruptionbudgets", budget)


def _expected(store: Store, pods: list[Object]) -> int:
    owners = {owner["uid"] for pod in pods for owner in pod["metadata"].get("ownerReferences") or ()}
    sets = [one for one in store.list("replicasets") if one["metadata"]["uid"] in owners]
    deployments = {owner["uid"] for one in sets for owner in one["metadata"].get("ownerReferences") or ()}
    sizes = [one["spec"]["replicas"] for one in store.list("deployments") if one["metadata"]["uid"] in deployments]
    return sum(sizes) if sizes else len(pods)
