"""The sandbox's cluster alone: no database, no application of ClickView's, deployments that a test makes."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from checks.rollout import judge_rollout
from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.resources import AUTOSCALERS, BUDGETS, DEPLOYMENTS, PODS, REPLICA_SETS, Resource
from recovery.adapters.kubernetes.workloads import KubernetesWorkloads
from recovery.errors import RecoveryError
from recovery.facts import DeploymentFacts, Progress, Rollout, WorkloadEvent
from recovery.settings.services import KubernetesSettings
from sandbox import services, site
from sandbox.certificates import make_certificates
from sandbox.cluster.kubeconfigs import write_kubeconfigs
from sandbox.cluster.places import kubeconfig
from sandbox.layout import Sandbox, plan_sandbox
from sandbox.settings_file import make_secrets
from sandbox.startup import make_folder
from tests.waiting import PATIENCE, until

GOOD_IMAGE, OTHER_IMAGE, NO_IMAGE = "busybox:1.36", "registry.k8s.io/pause:3.9", "clickview/worker:none"
LABELS = {"app": "clickview", "component": "worker"}
NAME = "clickview-worker"
STATUS_OF_PODS = Resource("pods/status")
QUOTAS = Resource("resourcequotas")
NODES = Resource("nodes", namespaced=False)
ROLES = Resource("roles", "rbac.authorization.k8s.io")


def at_once(facts: DeploymentFacts, events: tuple[WorkloadEvent, ...] = ()) -> Rollout:
    """The product's judgement, without its patience: a test knows that nothing will come."""
    return replace(judge_rollout(facts, events), patience_seconds=0)


@dataclass(frozen=True)
class ClusterAlone:
    """A cluster: what the product does with it, and the administrator who makes and breaks things."""

    sandbox: Sandbox
    admin: Cluster

    def workloads(self, judge: Any = judge_rollout, **settings: Any) -> KubernetesWorkloads:
        """The product's own, with the rights of role.yaml."""
        return KubernetesWorkloads(self.settings("recovery", **settings), judge)

    def settings(self, who: str, **settings: Any) -> KubernetesSettings:
        return KubernetesSettings(kubeconfig=kubeconfig(self.sandbox.folder, who), **settings)

    def make(self, name: str = NAME, *, replicas: int = 2, labels: dict[str, str] = LABELS, **spec: Any) -> None:
        """A deployment whose pods are small programs."""
        container = {"name": "worker", "image": GOOD_IMAGE, "command": ["sleep", "infinity"]}
        template = {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
        }
        wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        self.admin.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": wanted | spec})

    def change_container(self, name: str = NAME, **fields: Any) -> None:
        """What a deploy does: another template."""
        spec = self.admin.get(DEPLOYMENTS, name)["spec"]["template"]["spec"]
        changed = [spec["containers"][0] | fields]
        self.admin.patch(DEPLOYMENTS, name, {"spec": {"template": {"spec": {"containers": changed}}}})

    def fail_pod(self, name: str) -> None:
        """As a node does that runs out of disk."""
        self.admin.patch(STATUS_OF_PODS, name, {"status": {"phase": "Failed", "reason": "Evicted", "message": "disk"}})

    def rolled_out(self, name: str = NAME) -> DeploymentFacts:
        """Wait until it is."""
        done, facts = self.workloads(at_once).follow_rollout(name, seconds=PATIENCE, on_progress=ignore)
        assert done.done, done
        return facts

    def remove_all(self) -> None:
        """Nothing of a test stays."""
        for kind in (AUTOSCALERS, BUDGETS, QUOTAS, DEPLOYMENTS, REPLICA_SETS, PODS):
            for one in self.admin.find(kind):
                self.admin.delete(kind, one["metadata"]["name"])
        until(lambda: not self.admin.find(PODS), what="no pod is left")

    @contextmanager
    def without_right(self, resource: str) -> Iterator[None]:
        """The product may do nothing with these."""
        role = self.admin.get(ROLES, "clickview-recovery")
        fewer = [one for one in role["rules"] if resource not in one["resources"]]
        assert len(fewer) < len(role["rules"])
        self.admin.patch(ROLES, "clickview-recovery", {"rules": fewer})
        try:
            yield
        finally:
            self.admin.patch(ROLES, "clickview-recovery", {"rules": role["rules"]})

    @property
    def pid(self) -> int:
        """The process that is the API server and all controllers."""
        found = services.running_pid(services.find(self.sandbox, "cluster"))
        assert found
        return found

    def start(self) -> None:
        argv = [sys.executable, "-m", "sandbox.cluster", self.sandbox.folder]
        services.start(services.describe(self.sandbox, "cluster", argv))


def ignore(_progress: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def lone_cluster(sandbox_room: Path) -> Iterator[ClusterAlone]:
    """A cluster for the tests of one file."""
    sandbox = plan_sandbox(Path(tempfile.mkdtemp(prefix="site-", dir=sandbox_room)))
    try:
        make_folder(sandbox)
        make_secrets(sandbox)
        make_certificates(sandbox)
        write_kubeconfigs(sandbox)
        found = ClusterAlone(sandbox, Cluster(KubernetesSettings(kubeconfig=kubeconfig(sandbox.folder, "admin"))))
        found.start()
        until(lambda: found.admin.find(DEPLOYMENTS), what="the cluster answers")
        found.remove_all()
        yield found
    finally:
        site.down(sandbox.folder)


@pytest.fixture
def alone(lone_cluster: ClusterAlone) -> Iterator[ClusterAlone]:
    """The cluster, empty again after each test."""
    yield lone_cluster
    with suppress(RecoveryError):  # the test's own failure tells more
        lone_cluster.remove_all()


def strange_text() -> str:
    """As somebody's program may write it: long, with what a terminal would obey."""
    return f"\x1b[31m日本 \u202e {secrets.token_hex(4)} " + "x" * 5000
