"""Clusters for the contract tests: the sandbox's stand-in, and a real API server with its controllers."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from recovery.errors import SettingsInvalid
from sandbox import services
from sandbox.certificates import make_certificates
from sandbox.cluster.kubeconfigs import write_kubeconfigs
from sandbox.layout import Sandbox, plan_sandbox
from sandbox.removal import remove_everything
from sandbox.settings_file import make_secrets
from sandbox.startup import make_folder
from tests.real_cluster import RealCluster
from tests.waiting import until

_numbers = itertools.count(1)
PAUSE, SHELL = "registry.k8s.io/pause:3.9", "busybox:1.36"


@dataclass(frozen=True)
class Kube:
    """An API server that the same questions are asked of, whichever it is."""

    server: str
    ca_file: Path
    admin_token: str
    recovery_token: str
    is_real: bool
    folder: Path | None = None

    def client(self, token: str | None = None) -> client.ApiClient:
        """The official client of somebody; unset: of the administrator."""
        settings = client.Configuration(host=self.server)
        settings.ssl_ca_cert = str(self.ca_file)
        settings.api_key = {"authorization": f"Bearer {token or self.admin_token}"}
        settings.retries = 0
        return client.ApiClient(settings)

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.client())

    @property
    def apps(self) -> client.AppsV1Api:
        return client.AppsV1Api(self.client())


@pytest.fixture(scope="session", params=["stand-in", "real"])
def kube(request: pytest.FixtureRequest) -> Iterator[Kube]:
    """The stand-in, and the real thing where there is one."""
    yield from _stand_in() if request.param == "stand-in" else _real()


@pytest.fixture
def namespace(kube: Kube) -> Iterator[str]:
    """A namespace of one test's own."""
    name = f"contract-{os.getpid()}-{next(_numbers)}"
    kube.core.create_namespace({"metadata": {"name": name}})
    yield name
    kube.core.delete_namespace(name)


@pytest.fixture
def with_kubelet(kube: Kube) -> None:
    """For what only a kubelet of real nodes does: logs, restarts, probes."""
    if kube.is_real:
        pytest.skip("needs a kubelet; a control plane alone has none")


def deployment(name: str, *, replicas: int = 2, image: str = PAUSE, **more: Any) -> dict[str, Any]:
    """A deployment of one container; `more` goes into its specification, `container` into that of the container."""
    container = {"name": "main", "image": image, **more.pop("container", {})}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **more}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def rolled_out(kube: Kube, namespace: str, name: str) -> Any:
    """A deployment, once it is as it is wanted."""

    def done() -> Any:
        one = kube.apps.read_namespaced_deployment(name, namespace)
        status, wanted = one.status, one.spec.replicas
        counts = {status.replicas or 0, status.updated_replicas or 0, status.available_replicas or 0}
        return one if status.observed_generation == one.metadata.generation and counts == {wanted} else None

    return until(done, what=f"{name} is rolled out")


def _stand_in() -> Iterator[Kube]:
    room = Path(tempfile.mkdtemp(prefix=f"cvt-{os.getpid()}-", dir="/tmp"))
    room.chmod(0o755)
    sandbox = _planned(room / "cluster")
    try:
        services.start(services.describe(sandbox, "cluster", _argv(sandbox)))
        made = Kube(
            f"https://127.0.0.1:{sandbox.ports['cluster']}",
            sandbox.ca_file,
            sandbox.secret("kubernetes_admin"),
            sandbox.secret("kubernetes_recovery"),
            is_real=False,
            folder=sandbox.folder,
        )
        until(lambda: _answers(made), what="the stand-in answers")
        for name in ("clickview-backend", "clickview-frontend"):  # there is no database here
            made.apps.patch_namespaced_deployment(name, "clickview", {"spec": {"replicas": 0}})
        yield made
    finally:
        remove_everything(sandbox.folder)
        shutil.rmtree(room, ignore_errors=True)


def _planned(folder: Path) -> Sandbox:
    try:
        sandbox = plan_sandbox(folder)
    except SettingsInvalid as error:
        pytest.skip(str(error))
    make_folder(sandbox)
    make_secrets(sandbox)
    make_certificates(sandbox)
    write_kubeconfigs(sandbox)
    return sandbox


def _argv(sandbox: Sandbox) -> list[str | Path]:
    import sys

    return [sys.executable, "-m", "sandbox.cluster", sandbox.folder]


def _real() -> Iterator[Kube]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no kube-apiserver, kube-controller-manager and etcd to ask")
    with RealCluster(Path(assets)) as real:
        made = Kube(real.server, real.ca_file, real.admin_token, real.recovery_token, is_real=True)
        until(lambda: _answers(made), what="the real API server answers")
        real.begin(made.client())
        yield made


def _answers(made: Kube) -> bool:
    try:
        made.core.list_namespace(_request_timeout=5)
    except client.ApiException:
        return False
    except Exception as error:  # whatever the client raises while nobody listens yet
        raise OSError(str(error)) from error
    return True
