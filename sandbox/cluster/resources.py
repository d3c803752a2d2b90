"""Which resources the stand-in has, and under which paths."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.cluster.answers import Object


@dataclass(frozen=True)
class Resource:
    """One kind of object."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    counted: bool = False  # its specification has a generation

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As messages name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def path(self) -> str:
        """Where its group is: `/apis/apps/v1`."""
        return f"/apis/{self.api_version}" if self.group else "/api/v1"


_ALL = (
    Resource("namespaces", "Namespace", namespaced=False, subresources=("status",)),
    Resource("nodes", "Node", namespaced=False, subresources=("status",)),
    Resource("pods", "Pod", subresources=("status", "log", "eviction")),
    Resource("events", "Event"),
    Resource("configmaps", "ConfigMap"),
    Resource("secrets", "Secret"),
    Resource("services", "Service", subresources=("status",)),
    Resource("serviceaccounts", "ServiceAccount"),
    Resource("resourcequotas", "ResourceQuota", subresources=("status",)),
    Resource("deployments", "Deployment", "apps", subresources=("status", "scale"), counted=True),
    Resource("replicasets", "ReplicaSet", "apps", subresources=("status", "scale"), counted=True),
    Resource("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2", subresources=("status",)),
    Resource("poddisruptionbudgets", "PodDisruptionBudget", "policy", subresources=("status",), counted=True),
    Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", counted=True),
    Resource("roles", "Role", "rbac.authorization.k8s.io"),
    Resource("rolebindings", "RoleBinding", "rbac.authorization.k8s.io"),
)

# Not stored: measured when it is asked for.
METRICS = Resource("pods", "PodMetrics", "metrics.k8s.io", "v1beta1")

# What people type.
_SHORT = {
    "pods": ["po"],
    "deployments": ["deploy"],
    "replicasets": ["rs"],
    "horizontalpodautoscalers": ["hpa"],
    "poddisruptionbudgets": ["pdb"],
    "configmaps": ["cm"],
    "services": ["svc"],
    "events": ["ev"],
    "nodes": ["no"],
    "networkpolicies": ["netpol"],
    "resourcequotas": ["quota"],
}

RESOURCES = {resource.plural: resource for resource in _ALL}
BY_KIND = {resource.kind: resource for resource in _ALL}


def at_path(group_path: str, plural: str) -> Resource | None:
    """The resource of a path like `/apis/apps/v1` and `deployments`."""
    found = RESOURCES.get(plural)
    return found if found and found.path == group_path else None


def discovery(group_path: str) -> Object | None:
    """What a client that asks what there is under a path is told: `kubectl` asks before its first question."""
    if group_path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if group_path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
    here = [resource for resource in (*_ALL, METRICS) if resource.path == group_path]
    if not here:
        return None
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    listed = [
        {"name": one.plural, "singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
        | {"verbs": verbs, "shortNames": _SHORT.get(one.plural, [])}
        for one in here
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": here[0].api_version,
        "resources": listed,
    }


def _groups() -> list[Object]:
    every = sorted({(one.group, one.api_version, one.version) for one in (*_ALL, METRICS) if one.group})
    return [
        {"name": group, "versions": [named], "preferredVersion": named}
        for group, api_version, version in every
        for named in [{"groupVersion": api_version, "version": version}]
    ]
