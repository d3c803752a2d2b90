"""The role Workloads, played by a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Callable

from recovery.adapters.kubernetes import events, logs, replacing, rights, rollout, scaling, usage
from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.deployments import Deployments
from recovery.adapters.kubernetes.fields import name_of, text, uid_of
from recovery.adapters.kubernetes.resources import PODS
from recovery.adapters.kubernetes.specification import masked_specification
from recovery.facts import DeploymentFacts, PodUsage, Progress, Rollout, WorkloadEvent
from recovery.settings.services import KubernetesSettings


class KubernetesWorkloads:
    """The deployments of one namespace. Whether a rollout hangs is judged by who is given to it."""

    def __init__(self, settings: KubernetesSettings, judge: rollout.Judge) -> None:
        self._cluster = Cluster(settings)
        self._deployments = Deployments(self._cluster)
        self._judge = judge

    def read_deployment(self, name: str) -> DeploymentFacts:
        """A deployment with its pods, versions, autoscaler and budgets."""
        return self._deployments.facts(self._deployments.family(name))

    def read_events(self, deployment: DeploymentFacts) -> tuple[WorkloadEvent, ...]:
        """What the cluster noted of it, its versions and its pods, oldest first."""
        return events.read_events(self._cluster, deployment)

    def read_usage(self, deployment: DeploymentFacts) -> tuple[PodUsage, ...] | None:
        """What its pods use; None when the cluster has no metrics API."""
        return usage.read_usage(self._cluster, deployment)

    def read_log(self, pod: str, *, lines: int, previous: bool = False) -> str:
        """The last lines of a pod, or of its containers before the last restart."""
        return logs.read_log(self._cluster, pod, lines=lines, previous=previous)

    def read_specification(self, name: str) -> str:
        """A deployment as the cluster keeps it, as JSON, without what may hold secrets."""
        return masked_specification(self._deployments.get(name))

    def missing_rights(self, name: str) -> tuple[str, ...]:
        """What we may not do to this deployment, one each."""
        return rights.missing_rights(self._cluster, name)

    def delete_failed_pods(self, name: str) -> tuple[str, ...]:
        """Delete the pods that have failed, and no others; their names. Idempotent: they stay failed until they go.

        One by one, each by its uid, as kubectl does it too: a job's pods can have the deployment's labels.
        """
        failed = [one for one in self._deployments.family(name).pods if text(one, "status", "phase") == "Failed"]
        return tuple(name_of(one) for one in failed if self._cluster.delete(PODS, name_of(one), uid_of(one)))

    def restart(self, name: str, token: str) -> None:
        """Replace every pod, one after the other. Idempotent: the same token twice restarts once."""
        replacing.restart(self._cluster, name, token)

    def roll_back(self, name: str, revision: int) -> None:
        """Have it run a former version again. Idempotent: one that it has already changes nothing."""
        replacing.roll_back(self._cluster, name, revision)

    def scale(self, name: str, replicas: int) -> None:
        """Have another number of pods; moves the autoscaler's limits when they are in the way, and notes what was."""
        scaling.scale(self._cluster, name, replicas)

    def scale_back(self, name: str) -> int | None:
        """Give it the size, and the autoscaler the limits, that `scale` noted; the size, or None when nothing is noted."""
        return scaling.scale_back(self._cluster, name)

    def follow_rollout(
        self, name: str, *, seconds: float, on_progress: Callable[[Progress], None]
    ) -> tuple[Rollout, DeploymentFacts]:
        """Watch a rollout until it is done, hangs for a reason that waiting does not cure, or the deadline is there."""
        return rollout.follow(self._cluster, name, self._judge, seconds=seconds, on_progress=on_progress)
