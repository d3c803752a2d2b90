"""The cluster's administrator: the official client with the sandbox's admin kubeconfig, for faults and tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from recovery.errors import TargetUnreachable
from sandbox.cluster.answers import Object
from sandbox.cluster.endpoints import BACKEND
from sandbox.cluster.places import NAMESPACE, kubeconfig
from sandbox.layout import Sandbox

_ANSWER_SECONDS = 20


class Administration:
    """What faults do to the application's namespace."""

    def __init__(self, api_client: Any) -> None:
        self.core, self.apps = client.CoreV1Api(api_client), client.AppsV1Api(api_client)
        self._client = api_client

    def backend(self) -> Object:
        """The backend's deployment."""
        return self._plain(self.apps.read_namespaced_deployment(BACKEND, NAMESPACE, _request_timeout=_ANSWER_SECONDS))

    def backend_pods(self) -> list[Object]:
        """Its pods that have not ended and are not being deleted."""
        labels = ",".join(f"{key}={value}" for key, value in self.backend()["spec"]["selector"]["matchLabels"].items())
        listed = self.core.list_namespaced_pod(NAMESPACE, label_selector=labels, _request_timeout=_ANSWER_SECONDS)
        pods: list[Object] = self._plain(listed)["items"]
        return [
            pod
            for pod in pods
            if pod["status"]["phase"] not in ("Failed", "Succeeded") and not pod["metadata"].get("deletionTimestamp")
        ]

    def patch_backend(self, patch: Object | list[Object]) -> None:
        """Change its deployment: strategic merge, or JSON patch when it is a list."""
        self.apps.patch_namespaced_deployment(BACKEND, NAMESPACE, patch, _request_timeout=_ANSWER_SECONDS)

    def annotate_service(self, values: dict[str, str | None]) -> None:
        """Set, or take away, annotations of the backend's Service."""
        patch = {"metadata": {"annotations": values}}
        self.core.patch_namespaced_service(BACKEND, NAMESPACE, patch, _request_timeout=_ANSWER_SECONDS)

    def patch_nodes(self, patch: Object) -> list[str]:
        """Change every node; their names."""
        nodes = self.core.list_node(_request_timeout=_ANSWER_SECONDS).items
        for node in nodes:
            self.core.patch_node(node.metadata.name, patch, _request_timeout=_ANSWER_SECONDS)
        return [node.metadata.name for node in nodes]

    def evict(self, pod: Object, message: str) -> None:
        """Have a pod end as a node's kubelet ends it that has no room: phase Failed, and it stays."""
        status = {"status": {"phase": "Failed", "reason": "Evicted", "message": message}}
        name = pod["metadata"]["name"]
        self.core.patch_namespaced_pod_status(name, NAMESPACE, status, _request_timeout=_ANSWER_SECONDS)
        about = {"kind": "Pod", "apiVersion": "v1", "name": name, "namespace": NAMESPACE, "uid": pod["metadata"]["uid"]}
        now = pod["status"].get("startTime")
        event: Object = {"metadata": {"generateName": f"{name}."}, "involvedObject": about, "reason": "Evicted"}
        event |= {"message": message, "type": "Warning", "source": {"component": "kubelet"}, "count": 1}
        event |= {"firstTimestamp": now, "lastTimestamp": now}
        self.core.create_namespaced_event(NAMESPACE, event, _request_timeout=_ANSWER_SECONDS)

    def delete_pods(self, pods: list[Object], *, grace_seconds: int | None = None) -> None:
        """Delete pods; those that are gone already are no error."""
        options = {} if grace_seconds is None else {"grace_period_seconds": grace_seconds}
        for pod in pods:
            try:
                name = pod["metadata"]["name"]
                self.core.delete_namespaced_pod(name, NAMESPACE, **options, _request_timeout=_ANSWER_SECONDS)
            except client.ApiException as error:
                if error.status != 404:
                    raise

    def limit_pods(self, name: str) -> int:
        """Have a quota that lets no more pods be than there are now, ended ones counted, too; how many."""
        count = len(self.core.list_namespaced_pod(NAMESPACE, _request_timeout=_ANSWER_SECONDS).items)
        quota = {"metadata": {"name": name}, "spec": {"hard": {"count/pods": str(count)}}}
        self.core.create_namespaced_resource_quota(NAMESPACE, quota, _request_timeout=_ANSWER_SECONDS)
        return count

    def drop_quota(self, name: str) -> None:
        """Take a quota away, if it is there."""
        try:
            self.core.delete_namespaced_resource_quota(name, NAMESPACE, _request_timeout=_ANSWER_SECONDS)
        except client.ApiException as error:
            if error.status != 404:
                raise

    def _plain(self, thing: Any) -> Object:
        plain: Object = self._client.sanitize_for_serialization(thing)
        return plain


@contextmanager
def administration(sandbox: Sandbox) -> Iterator[Administration]:
    """The administrator, for a moment.

    Raises: TargetUnreachable when the API does not answer, or refuses.
    """
    api_client = config.new_client_from_config(config_file=str(kubeconfig(sandbox.folder, "admin")))
    api_client.configuration.retries = 0
    try:
        yield Administration(api_client)
    except (HTTPError, OSError) as error:
        raise TargetUnreachable("the cluster's API does not answer", "see recover sandbox status") from error
    except client.ApiException as error:
        raise TargetUnreachable(f"the cluster's API refuses: {error.reason} {error.body}", "see above") from error
    finally:
        api_client.close()
