"""Sends a request to an API server by the official client. Each answer has a deadline, and silence is an error of ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recovery.adapters.kubernetes.credentials import Access, find_access
from recovery.adapters.kubernetes.fields import plain
from recovery.errors import SettingsInvalid, TargetUnreachable
from recovery.settings.services import KubernetesSettings

_CHUNK = 65536
_LEAST_SECONDS = 0.1  # a time-out of nothing means none to the client
_NEXT = "look at the control plane's state and the network; what the cluster runs goes on without it"


@dataclass(frozen=True)
class Sent:
    """A request."""

    method: str
    path: str
    deadline: float
    query: tuple[tuple[str, str], ...] = ()
    body: object = None
    kind: str = "application/json"


class Transport:
    """A server and the credentials for it: looked up when it is first needed, and anew when they have run out."""

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._open: tuple[Access, Any] | None = None
        self._accepted = False

    @property
    def access(self) -> Access:
        return self._reached()[0]

    def send(self, sent: Sent) -> Any:
        """The answer, whatever its status; its body is still to be read.

        Credentials that were good and are so no more (a token for a quarter of an hour) are fetched once more.
        """
        response = self._send(sent)
        if response.status == 401 and self._accepted:
            response.close()
            with self._lock:
                self._open = None
            response = self._send(sent)
        self._accepted = response.status != 401
        return response

    def pieces(self, response: Any, deadline: float) -> Iterator[bytes]:
        """What comes, as it comes: a server that sends a letter now and then must not hold us."""
        from urllib3.exceptions import HTTPError

        try:
            while piece := response.read1(_CHUNK):
                yield piece
                if time.monotonic() > deadline:
                    raise self._late()
        except HTTPError as error:
            raise self._silence(error) from error
        finally:
            response.close()

    def _send(self, sent: Sent) -> Any:
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json, */*"}
        if sent.body is not None:
            headers["Content-Type"] = sent.kind
        client = self._reached()[1]
        try:
            request = client.param_serialize(
                sent.method,
                sent.path,
                query_params=list(sent.query),
                header_params=headers,
                body=sent.body,
                auth_settings=["BearerToken"],
            )
            left = max(_LEAST_SECONDS, sent.deadline - time.monotonic())
            return client.call_api(*request, _request_timeout=left).response
        except (ApiException, HTTPError) as error:
            raise self._silence(error) from error
        except (ConfigException, OSError) as error:  # of a pod's token, which is read again and again
            raise SettingsInvalid(
                f"the credentials of {self.access.source} can no longer be read: {type(error).__name__}",
                "look at the file that they are in",
            ) from error

    def _late(self) -> TargetUnreachable:
        within = f"within {self._settings.request_seconds} s"
        return TargetUnreachable(f"the API server {self.access.server} does not answer {within}", _NEXT)

    def _silence(self, error: Exception) -> TargetUnreachable:
        """Why there is no answer. The client's own text names its classes and the addresses of its objects."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import NewConnectionError
        from urllib3.exceptions import TimeoutError as TimeUp

        if isinstance(error, TimeUp) and not isinstance(error, NewConnectionError):
            return self._late()
        if isinstance(error, ApiException):
            return TargetUnreachable(
                f"no TLS with the API server {self.access.server}: {plain(str(error.reason).rpartition('] ')[2])}",
                f"check certificate-authority and client certificate in {self.access.source}",
            )
        said = _last_words(str(error)) or type(error).__name__
        return TargetUnreachable(f"the API server {self.access.server} does not answer: {said}", _NEXT)

    def _reached(self) -> tuple[Access, Any]:
        from kubernetes.client import ApiClient

        with self._lock:
            if self._open is None:
                access = find_access(self._settings)
                self._open = access, ApiClient(access.configuration)
            return self._open


def _last_words(said: str) -> str:
    return plain(said.rpartition(": ")[2].strip("()'\" "))
