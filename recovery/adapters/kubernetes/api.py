"""The one place that speaks to an API server: each answer has a deadline, each refusal is an error of ours."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from recovery.adapters.kubernetes.credentials import Access, find_access
from recovery.adapters.kubernetes.fields import items, plain, text
from recovery.adapters.kubernetes.refusals import Asked, NotThere, no_api, refusal
from recovery.adapters.kubernetes.resources import Resource
from recovery.errors import TargetUnreachable
from recovery.settings.services import KubernetesSettings

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
_CHUNK = 65536
_PAGE = 500  # objects in one answer: a namespace with thousands must not be one answer


class Cluster:
    """One namespace of a cluster. It is reached when it is first asked: nothing is imported before."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._open: tuple[Access, Any] | None = None
        self._accepted = False
        self._version: dict[Resource, str] = {}

    @property
    def namespace(self) -> str:
        return self._reached()[0].namespace

    @property
    def server(self) -> str:
        return self._reached()[0].server

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
            if not (token := text(page, "metadata", "continue")):
                return found, text(page, "metadata", "resourceVersion")
            going_on = {"continue": token}

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
        self, verb: str, resource: Resource, name: str, *, version: str = "", seconds: float | None = None, **sent: Any
    ) -> Iterator[bytes]:
        """An answer, piece by piece; credentials that have run out since are fetched once more."""
        path = resource.path(self.namespace, name, version or self._version.get(resource, resource.versions[0]))
        deadline = time.monotonic() + (seconds or self._settings.request_seconds)
        response = self._send(verb, path, deadline, **sent)
        if response.status == 401 and self._accepted:
            response.close()
            self._forget()
            response = self._send(verb, path, deadline, **sent)
        if 200 <= response.status < 300:
            self._accepted = True
            yield from self._pieces(response, deadline)
            return
        raw = b"".join(self._pieces(response, deadline))
        access = self._reached()[0]
        asked = Asked(verb, resource.spoken(name), access.namespace, access.server, access.source)
        raise refusal(response.status, _status_object(raw), response.reason or "", asked)

    def _send(
        self,
        verb: str,
        path: str,
        deadline: float,
        *,
        query: dict[str, str] | None = None,
        body: object = None,
        kind: str = "application/json",
    ) -> Any:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        access, client = self._reached()
        headers = {"Accept": "application/json, */*"} | ({"Content-Type": kind} if body is not None else {})
        request = client.param_serialize(
            _METHODS[verb], path, query_params=list((query or {}).items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            return client.call_api(*request, _request_timeout=max(0.1, deadline - time.monotonic())).response
        except (ApiException, HTTPError) as error:
            raise self._silence(error, access) from error

    def _pieces(self, response: Any, deadline: float) -> Iterator[bytes]:
        """What comes, as it comes: a server that sends a letter now and then must not hold us."""
        from urllib3.exceptions import HTTPError

        try:
            while piece := response.read1(_CHUNK):
                yield piece
                if time.monotonic() > deadline:
                    raise self._late()
        except HTTPError as error:
            raise self._silence(error, self._reached()[0]) from error
        finally:
            response.close()

    def _late(self) -> TargetUnreachable:
        return TargetUnreachable(
            f"the API server {self.server} does not answer within {self._settings.request_seconds} s",
            "look at the control plane's state and the network; what the cluster runs goes on without it",
        )

    def _silence(self, error: Exception, access: Access) -> TargetUnreachable:
        """Why there is no answer. The client's own text names classes and addresses of objects."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import NewConnectionError
        from urllib3.exceptions import TimeoutError as TimeUp

        if isinstance(error, TimeUp) and not isinstance(error, NewConnectionError):
            return self._late()
        if isinstance(error, ApiException):
            return TargetUnreachable(
                f"no TLS with the API server {access.server}: {plain(str(error.reason).rpartition('SSLError')[2])}",
                f"check certificate-authority and client certificate in {access.source}",
            )
        said = plain(str(error).rpartition(": ")[2].strip("()'\" "))
        return TargetUnreachable(
            f"the API server {access.server} does not answer: {said or type(error).__name__}",
            "look at the control plane's state and the network; what the cluster runs goes on without it",
        )

    def _reached(self) -> tuple[Access, Any]:
        from kubernetes.client import ApiClient

        with self._lock:
            if self._open is None:
                access = find_access(self._settings)
                self._open = access, ApiClient(access.configuration)
            return self._open

    def _forget(self) -> None:
        with self._lock:
            self._open, self._accepted = None, False


def _status_object(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError:
        return None
