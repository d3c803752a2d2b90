"""From a request that is allowed to its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.cluster.answers import Object, Refused, bad_request
from sandbox.cluster.operations import Operations
from sandbox.cluster.rbac import User
from sandbox.cluster.request import Request
from sandbox.cluster.resources import METRICS
from sandbox.cluster.selectors import by_labels
from sandbox.cluster.store import Store
from sandbox.cluster.subresources import change_scale, evict, read_log, review_access, scale_of
from sandbox.cluster.usage import Usage

Answer = tuple[int, Object | bytes]


class Api:
    """All but who asks and how it is sent."""

    def __init__(self, store: Store, folder: Path, usage: Usage) -> None:
        self.store, self.operations = store, Operations(store)
        self._folder, self._usage = folder, usage

    def review(self, user: User, body: Object) -> Object:
        """What a user may do."""
        return review_access(self.store, user, body)

    def answer(self, request: Request, body: Any, content_type: str) -> Answer:
        """The answer to a request that is no watch.

        Raises: Refused.
        """
        if request.resource is METRICS:
            return 200, self._metrics(request)
        if request.part in ("log", "eviction", "scale"):
            return self._subresource(request, body, content_type)
        resource, namespace, name = request.resource, request.namespace, request.name
        operations = self.operations
        if request.verb == "list":
            return 200, operations.listed(resource, namespace, request.query)
        if request.verb == "get":
            return 200, self.store.get(resource.plural, namespace, name)
        if request.verb == "create" and not name:
            return 201, operations.create(resource, namespace, body)
        if request.verb == "update":
            return 200, operations.replace(resource, namespace, name, body, part=request.part)
        if request.verb == "patch":
            return 200, operations.patch(resource, namespace, name, content_type, body, part=request.part)
        if request.verb == "delete":
            return 200, operations.delete(resource, namespace, name, _delete_options(request, body))
        if request.verb == "deletecollection":
            return 200, operations.delete_all(resource, namespace, request.query, _delete_options(request, body))
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _subresource(self, request: Request, body: Any, content_type: str) -> Answer:
        with self.store.at_once():
            thing = self.store.get(request.resource.plural, request.namespace, request.name)
            if request.part == "log" and request.verb == "get":
                return 200, read_log(self._folder, thing, request.query)
            if request.part == "eviction" and request.verb == "create":
                return 201, evict(self.operations, self.store, thing, body)
            if request.part == "scale" and request.verb == "get":
                return 200, scale_of(thing)
            if request.part == "scale" and request.verb in ("patch", "update"):
                patch_type = content_type if request.verb == "patch" else None
                return 200, change_scale(self.operations, request.resource, thing, patch_type, body)
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _metrics(self, request: Request) -> Object:
        if request.verb == "get":
            return self._usage.get(request.namespace, request.name)
        if request.verb != "list":
            raise bad_request("metrics can only be read")
        return self._usage.listed(request.namespace, by_labels(request.query.get("labelSelector", "")))


def _delete_options(request: Request, body: Any) -> Object:
    options: Object = dict(body) if isinstance(body, dict) else {}
    if "gracePeriodSeconds" in request.query:
        options["gracePeriodSeconds"] = int(request.query["gracePeriodSeconds"])
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    return options
