"""What we may not do, asked of the cluster before it is needed."""

from __future__ import annotations

from collections.abc import Iterator

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.fields import value
from recovery.adapters.kubernetes.resources import (
    ACCESS_REVIEWS,
    DEPLOYMENTS,
    METRICS,
    NAMESPACES,
    RIGHTS,
    SCALES,
    Resource,
)

_OF_NO_NAME = ("list", "watch", "create")


def missing_rights(cluster: Cluster, deployment: str) -> tuple[str, ...]:
    """Each right that a recovery of this deployment needs and that we do not have: `patch deployments/clickview-backend`."""
    return tuple(
        f"{verb} {_spoken(resource, name)}"
        for resource, verb, name in _needed(cluster, deployment)
        if not _is_granted(cluster, resource, verb, name)
    )


def _needed(cluster: Cluster, deployment: str) -> Iterator[tuple[Resource, str, str]]:
    names = {DEPLOYMENTS: deployment, SCALES: deployment, NAMESPACES: cluster.namespace}
    for resource, verbs in RIGHTS.items():
        for verb in verbs:
            yield resource, verb, "" if verb in _OF_NO_NAME else names.get(resource, "")


def _is_granted(cluster: Cluster, resource: Resource, verb: str, name: str) -> bool:
    plural, _, inner = resource.name.partition("/")
    asked = {"namespace": cluster.namespace, "verb": verb, "group": resource.group, "resource": plural}
    optional = {key: one for key, one in (("subresource", inner), ("name", name)) if one}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked | optional},
    }
    return value(cluster.create(ACCESS_REVIEWS, review), "status", "allowed") is True


def _spoken(resource: Resource, name: str) -> str:
    return f"{resource.spoken(name)}.{resource.group}" if resource is METRICS else resource.spoken(name)
