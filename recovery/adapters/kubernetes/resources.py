"""What of a cluster we ask for, and with which verbs: the one list that role.yaml grants and that is asked for before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from recovery.errors import SettingsInvalid

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Resource:
    """A kind of object, or a part of one (`pods/log`)."""

    name: str
    group: str = ""
    versions: tuple[str, ...] = ("v1",)  # the first that the server knows is used
    namespaced: bool = True

    def path(self, namespace: str, name: str, version: str) -> str:
        """Where it is; without a name, where all of them are."""
        root = f"/apis/{self.group}/{version}" if self.group else f"/api/{version}"
        plural, _, inner = self.name.partition("/")
        if self.namespaced:
            root = f"{root}/namespaces/{namespace}"
        return "/".join(word for word in (root, plural, self._checked(name), inner) if word)

    def _checked(self, name: str) -> str:
        """`..` as a name would lead to another place."""
        if name and not _NAME.fullmatch(name):
            raise SettingsInvalid(f"{name!r} cannot be a name in a cluster", "correct the name")
        return name

    def spoken(self, name: str = "") -> str:
        """As people and kubectl say it: `deployments/clickview-backend`, `pods/log`, `deployments/…/scale`."""
        plural, _, inner = self.name.partition("/")
        return "/".join(word for word in (plural, name, inner) if word)


DEPLOYMENTS = Resource("deployments", "apps")
SCALES = Resource("deployments/scale", "apps")
REPLICA_SETS = Resource("replicasets", "apps")
PODS = Resource("pods")
LOGS = Resource("pods/log")
EVENTS = Resource("events")
NAMESPACES = Resource("namespaces", namespaced=False)
AUTOSCALERS = Resource("horizontalpodautoscalers", "autoscaling", ("v2", "v1"))
BUDGETS = Resource("poddisruptionbudgets", "policy", ("v1", "v1beta1"))
METRICS = Resource("pods", "metrics.k8s.io", ("v1beta1",))
# Everybody may ask what he may do: no right is needed.
ACCESS_REVIEWS = Resource("selfsubjectaccessreviews", "authorization.k8s.io", namespaced=False)

RIGHTS = MappingProxyType(
    {
        DEPLOYMENTS: ("get", "list", "patch"),
        SCALES: ("patch",),
        REPLICA_SETS: ("list",),
        PODS: ("get", "list", "watch", "delete"),
        LOGS: ("get",),
        EVENTS: ("list",),
        AUTOSCALERS: ("list", "patch"),
        BUDGETS: ("list",),
        METRICS: ("list",),
        NAMESPACES: ("get",),
    }
)
