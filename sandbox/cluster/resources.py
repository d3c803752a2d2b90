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

RESOURCES = {resource.plural: resource for resource in _ALL}
BY_KIND = {resource.kind: resource for resource in _ALL}


def at_path(group_path: str, plural: str) -> Resource | None:
    """The resource of a path like `/apis/apps/v1` and `deployments`."""
    found = RESOURCES.get(plural)
    return found if found and found.path == group_path else None


def discovery(group_path: str) -> Object | None:
    """What a client that asks what there is under a path is told."""
    here = [resource for resource in _ALL if resource.path == group_path]
    if not here:
        return None
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    listed = [
        {"name": one.plural, "singularName": one.kind.lower(), "namespaced": one.namespaced, "kind": one.kind}
        | {"verbs": verbs}
        for one in here
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": here[0].api_version,
        "resources": listed,
    }
