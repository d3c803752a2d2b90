"""What pods use, by the metrics API, and what they may use at most."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.fields import Json, items, name_of, value
from recovery.adapters.kubernetes.refusals import NotThere
from recovery.adapters.kubernetes.resources import METRICS, PODS
from recovery.facts import DeploymentFacts, PodUsage

_MOST = Decimal(10) ** 20  # more than any machine has: such a number is no amount


def read_usage(cluster: Cluster, deployment: DeploymentFacts) -> tuple[PodUsage, ...] | None:
    """What a deployment's pods use; None when the cluster has no metrics API."""
    try:
        measured = cluster.find(METRICS, labelSelector=deployment.selector)
    except NotThere:
        return None
    limits = {name_of(one): items(one, "spec", "containers") for one in _pods(cluster, deployment)}
    ours = {one.name for one in deployment.pods}
    return tuple(_read(one, limits.get(name_of(one), [])) for one in measured if name_of(one) in ours)


def _pods(cluster: Cluster, deployment: DeploymentFacts) -> list[dict[str, object]]:
    return cluster.find(PODS, labelSelector=deployment.selector)


def _read(measured: Json, containers: list[dict[str, object]]) -> PodUsage:
    used = items(measured, "containers")
    return PodUsage(
        pod=name_of(measured),
        cpu_millicores=_sum(used, _millicores, "usage", "cpu") or 0,
        memory_bytes=_sum(used, _bytes, "usage", "memory") or 0,
        cpu_limit_millicores=_sum(containers, _millicores, "resources", "limits", "cpu"),
        memory_limit_bytes=_sum(containers, _bytes, "resources", "limits", "memory"),
    )


def _sum(parts: list[dict[str, object]], unit: Callable[[Decimal], int], *path: str) -> int | None:
    """Of all containers together; None when one of them does not say: it has no limit then."""
    amounts = [_quantity(value(one, *path)) for one in parts]
    known = [one for one in amounts if one is not None]
    return unit(sum(known, Decimal())) if known and len(known) == len(amounts) else None


def _quantity(said: object) -> Decimal | None:
    """`250m`, `128Mi`, `12345678n`. Ref.: Kubernetes, Resource quantities."""
    from kubernetes.utils.quantity import parse_quantity

    try:
        amount = Decimal(parse_quantity(said))
    except (ValueError, TypeError, ArithmeticError):
        return None
    return amount if amount.is_finite() and 0 <= amount < _MOST else None


def _millicores(amount: Decimal) -> int:
    return round(amount * 1000)


def _bytes(amount: Decimal) -> int:
    return round(amount)
