"""What a request to the API is about: read from its method, path and query."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.cluster.answers import no_such_path
from sandbox.cluster.rbac import Asked
from sandbox.cluster.resources import METRICS, Resource, at_path


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    resource: Resource
    namespace: str
    name: str
    part: str  # its subresource
    query: dict[str, str]

    @property
    def verb(self) -> str:
        """As rules name it."""
        if self.method == "GET":
            if self.name:
                return "get"
            return "watch" if self.query.get("watch") in ("1", "true", "True") else "list"
        if self.method == "DELETE":
            return "delete" if self.name else "deletecollection"
        return {"POST": "create", "PUT": "update", "PATCH": "patch"}[self.method]

    def asked(self) -> Asked:
        """What it needs a right for."""
        resource = f"{self.resource.plural}/{self.part}" if self.part else self.resource.plural
        name, namespace = self.name, self.namespace
        if not name and self.verb in ("list", "watch"):  # a rule with resourceNames holds for a list of that one
            fields = self.query.get("fieldSelector", "")
            name = fields.removeprefix("metadata.name=") if fields.startswith("metadata.name=") else ""
        if self.resource.plural == "namespaces":
            namespace = self.name
        return Asked(self.verb, self.resource.group, resource, namespace, name)


def read_request(method: str, target: str) -> Request:
    """A request for objects.

    Raises: Refused with 404 when there is no such path.
    """
    parts = urlsplit(target)
    steps = [unquote(step) for step in parts.path.strip("/").split("/")]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    size = 2 if steps[0] == "api" else 3
    group_path, rest = "/" + "/".join(steps[:size]), steps[size:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3:
        raise no_such_path()
    is_metrics = group_path == METRICS.path and rest[0] == METRICS.plural
    resource = METRICS if is_metrics else at_path(group_path, rest[0])
    name, part = [*rest[1:], "", ""][:2]
    if resource is None or (part and part not in resource.subresources):
        raise no_such_path()
    if bool(namespace) != resource.namespaced and (namespace or name or method != "GET"):
        raise no_such_path()
    return Request(method, resource, namespace, name, part, query)
