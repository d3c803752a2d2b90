"""The one place that speaks to an API server: each answer has a deadline, each refusal is an error of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from recovery.adapters.kubernetes.fields import items, plain, value
from recovery.adapters.kubernetes.refusals import Asked, NotThere, no_api, refusal
from recovery.adapters.kubernetes.resources import Resource
from recovery.adapters.kubernetes.transport import Sent, Transport
from recovery.settings.services import KubernetesSettings

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
_PAGE = 500  # objects in one answer: a namespace with thousands must not be one answer


class Cluster:
    """One namespace of a cluster. It is reached when it is first asked: nothing is imported before."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._transport = Transport(settings)
        self._seconds = settings.request_seconds
        self._version: dict[Resource, str] = {}

    @property
    def namespace(self) -> str:
        return self._transport.access.namespace

    @property
    def server(self) -> str:
        return self._transport.access.server

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        """One object. Raises: NotThere."""
        return self._object("get", resource, name)

    def find(self, resource: Resource, **query: str) -> list[dict[str, Any]]:
        """All objects, or those that a labelSelector or fieldSelector finds. Raises: NotThere for an unknown kind."""
        return self.find_at(resource, **query)[0]

    def find_at(self, resource: Resource, **query: str) -> tuple[list[dict[str, Any]], str]:
        """All objects, and the version of the cluster's state that they are of: a watch goes on from there."""
        found: list[dict[str, Any]] = []
        going_on: dict[str, str] = {}
        while True:
            page = self._object("list", resource, query={**query, "limit": str(_PAGE), **going_on})
            found += items(page, "items")
            if not (token := value(page, "metadata", "continue")):
                return found, str(value(page, "metadata", "resourceVersion") or "")
            going_on = {"continue": str(token)}

    def create(self, resource: Resource, body: object) -> dict[str, Any]:
        """Send an object; what the server makes of it."""
        return self._object("create", resource, body=body)

    def patch(self, resource: Resource, name: str, body: object, kind: str = MERGE) -> dict[str, Any]:
        """Change some of an object, and leave the rest of it as it is."""
        return self._object("patch", resource, name, body=body, kind=kind)

    def delete(self, resource: Resource, name: str, uid: str = "") -> bool:
        """Delete an object, or (uid) only this very one; False when it is gone already."""
        body = {"preconditions": {"uid": uid}} if uid else None
        try:
            self._object("delete", resource, name, body=body)
        except NotThere:
            return False
        return True

    def read_text(self, resource: Resource, name: str, **query: str) -> str:
        """What is no JSON: a log."""
        return self._answer("get", resource, name, query=query).decode(errors="replace")

    def wait_for_change(self, resource: Resource, since: str, *, seconds: float, **query: str) -> None:
        """Wait until something of these changes, or the time is up. Whatever the watch ends with, look again after it.

        Also 410 (the version is too old by now) and 504 come as an answer: there is nothing more to do about them.
        """
        asked = {**query, "watch": "true", "resourceVersion": since, "timeoutSeconds": str(max(1, int(seconds)))}
        for _ in self._stream("watch", resource, "", query=asked, seconds=seconds + 1):
            return

    def _object(self, verb: str, resource: Resource, name: str = "", **options: Any) -> dict[str, Any]:
        raw = self._answer(verb, resource, name, **options)
        try:
            told = json.loads(raw)
        except ValueError as error:
            raise no_api(f"no JSON but {plain(raw[:60].decode(errors='replace'))!r}", self.server) from error
        if not isinstance(told, dict):
            raise no_api("no object", self.server)
        return told

    def _answer(self, verb: str, resource: Resource, name: str = "", **options: Any) -> bytes:
        """An answer, in the first version of the kind that the server knows."""
        known = self._version.get(resource)
        for version in [known] if known else resource.versions:
            try:
                answer = b"".join(self._stream(verb, resource, name, version=version, **options))
            except NotThere:
                if version == (known or resource.versions[-1]):
                    raise
            else:
                self._version[resource] = version
                return answer
        raise AssertionError("a resource has a version")

    def _stream(
        self,
        verb: str,
        resource: Resource,
        name: str,
        *,
        version: str = "",
        seconds: float | None = None,
        query: dict[str, str] | None = None,
        **content: Any,
    ) -> Iterator[bytes]:
        """An answer, piece by piece."""
        version = version or self._version.get(resource, resource.versions[0])
        deadline = time.monotonic() + (seconds or self._seconds)
        path, asked = resource.path(self.namespace, name, version), tuple((query or {}).items())
        response = self._transport.send(Sent(_METHODS[verb], path, deadline, asked, **content))
        pieces = self._transport.pieces(response, deadline)
        if 200 <= response.status < 300:
            yield from pieces
            return
        told = _status_object(b"".join(pieces))
        access = self._transport.access
        about = Asked(verb, resource.spoken(name), access.namespace, access.server, access.source)
        raise refusal(response.status, told, response.reason or "", about)


def _status_object(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError:
        return None
