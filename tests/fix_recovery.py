"""The sandbox's cluster as its administrator sees it, and a site whose application is broken and mended in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config

from sandbox import faults, site
from sandbox.layout import Sandbox
from tests import abroad
from tests.fix_drills import Drill
from tests.waiting import until

if TYPE_CHECKING:
    from tests.fix_sandbox import NewSandbox

NAMESPACE, BACKEND = "clickview", "clickview-backend"


@dataclass(frozen=True)
class Cluster:
    """What the API server says, asked by its administrator."""

    sandbox: Sandbox

    @cached_property
    def _client(self) -> Any:
        return config.new_client_from_config(config_file=str(self.sandbox.folder / "kubernetes" / "admin.kubeconfig"))

    @property
    def apps(self) -> Any:
        return client.AppsV1Api(self._client)

    @property
    def core(self) -> Any:
        return client.CoreV1Api(self._client)

    @property
    def scaling(self) -> Any:
        return client.AutoscalingV2Api(self._client)

    def deployment(self, name: str = BACKEND) -> Any:
        return self.apps.read_namespaced_deployment(name, NAMESPACE)

    def change(self, body: dict[str, Any], name: str = BACKEND) -> None:
        """Change the deployment as somebody would who deploys."""
        self.apps.patch_namespaced_deployment(name, NAMESPACE, body)

    def image(self, name: str = BACKEND) -> str:
        return str(self.deployment(name).spec.template.spec.containers[0].image)

    def pods(self, component: str = "backend") -> list[Any]:
        selector = f"app=clickview,component={component}"
        return list(self.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items)

    def ready(self, component: str = "backend") -> list[str]:
        """The names of the pods that are ready."""
        return [pod.metadata.name for pod in self.pods(component) if _is_ready(pod)]

    def limits(self) -> tuple[int, int]:
        """The backend's autoscaler: from, to."""
        found = self.scaling.read_namespaced_horizontal_pod_autoscaler("clickview-backend-hpa", NAMESPACE).spec
        return found.min_replicas, found.max_replicas

    def state(self) -> dict[str, Any]:
        """What a run that changes nothing must leave as it is."""
        found = self.deployment()
        return {
            "template": json.dumps(client.ApiClient().sanitize_for_serialization(found.spec.template), sort_keys=True),
            "replicas": found.spec.replicas,
            "annotations": {k: v for k, v in (found.metadata.annotations or {}).items() if "clickview" in k},
            "limits": self.limits(),
            "pods": sorted(pod.metadata.uid for pod in self.pods() if pod.metadata.deletion_timestamp is None),
        }


def _is_ready(pod: Any) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or [])


@dataclass(frozen=True)
class ApplicationDrill(Drill):
    """A site whose application is broken."""

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.sandbox)

    def break_it(self, fault: str) -> None:
        faults.break_it(self.sandbox, fault)

    def undo(self, fault: str) -> None:
        faults.undo(self.sandbox, fault)

    def mend(self) -> None:
        """Undo every fault, and have the application as it was."""
        for fault in site.active_faults(self.sandbox):
            faults.undo(self.sandbox, fault)
        self.done("application", "scale-back")
        until(lambda: len(self.cluster.ready()) == 3, what=lambda: f"three ready pods: {self.cluster.ready()}")
        site.wait_until_healthy(self.sandbox)

    def incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.done("incident", "list", "--json").json
        return found

    def allowing(self, **policies: object) -> ApplicationDrill:
        """The same site with other policies."""
        made = self.variant("approval.policy", **policies)
        return ApplicationDrill(made.sandbox, made.settings, made.more)


@pytest.fixture(scope="module")
def application_site(new_sandbox: NewSandbox) -> ApplicationDrill:
    """A site without backups: the application's pods hold no data."""
    made = new_sandbox(transactions_per_second=5)
    return ApplicationDrill(made, made.settings_file, abroad.shell())


@pytest.fixture
def application(application_site: ApplicationDrill) -> Iterator[ApplicationDrill]:
    """The site, healthy before and after."""
    yield application_site
    application_site.mend()
