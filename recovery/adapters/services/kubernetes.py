"""A deployment: kubernetes:deployment/clickview-backend. What the cluster says and does comes from the role Workloads."""

from __future__ import annotations

import uuid
from datetime import datetime

from recovery.adapters.services.log_lines import last_lines
from recovery.adapters.services.reached import Patience
from recovery.errors import GateRefused, RecoveryError, SettingsInvalid, VerificationFailed
from recovery.facts import ContainerFacts, DeploymentFacts, PodFacts, ServiceFacts, ServiceState
from recovery.roles import Workloads

_TOLD_LINES = 12


class KubernetesService:
    """One deployment as a service. It is not scaled to nothing and back: its former size would be a guess."""

    def __init__(self, workloads: Workloads, kind: str, name: str, patience: Patience) -> None:
        if kind != "deployment":
            raise SettingsInvalid(
                f"kubernetes:{kind}/{name} cannot be looked at: only deployments can",
                f"by hand: kubectl rollout status {kind}/{name}; kubectl rollout restart {kind}/{name}",
            )
        self._workloads, self._name, self._patience = workloads, name, patience

    @property
    def locator(self) -> str:
        return f"kubernetes:deployment/{self._name}"

    def read_facts(self) -> ServiceFacts:
        deployment = self._workloads.read_deployment(self._name)
        containers = [one for pod in deployment.pods_that_stay for one in pod.containers]
        state = _state(deployment)
        return ServiceFacts(
            self.locator,
            state,
            since=deployment.revision.created_at if deployment.revision else None,
            restarts=sum(one.restarts for one in containers),
            exit_code=next((one.last_exit_code for one in containers if one.last_exit_code is not None), None),
            healthy=deployment.available >= deployment.wanted if state == "running" else None,
            detail=_detail(deployment),
        )

    def start(self) -> None:
        deployment = self._workloads.read_deployment(self._name)
        if deployment.wanted == 0:
            raise GateRefused(
                f"deployment {self._name} has the size 0: how many pods it should have is not known here",
                f"{_kubectl(deployment)} scale deployment/{self._name} --replicas={deployment.scaled_from or 'N'}",
            )
        self._follow()

    def stop(self) -> None:
        deployment = self._workloads.read_deployment(self._name)
        if deployment.wanted == 0:
            return
        raise GateRefused(
            f"deployment {self._name} is not stopped by us: its size ({deployment.wanted}) would be lost",
            f"note it, then: {_kubectl(deployment)} scale deployment/{self._name} --replicas=0",
        )

    def restart(self) -> None:
        if self._workloads.read_deployment(self._name).wanted == 0:
            self.start()
        self._workloads.restart(self._name, uuid.uuid4().hex)
        self._follow()

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        """The last lines of every pod. They tell no moment, so that `since` leaves none out."""
        pods = self._workloads.read_deployment(self._name).pods
        return "\n".join(f"==> {pod.name} <==\n{self._pod_log(pod, lines)}" for pod in pods)

    def _pod_log(self, pod: PodFacts, lines: int) -> str:
        try:
            return last_lines(self._workloads.read_log(pod.name, lines=lines), lines)
        except RecoveryError as error:  # one whose container never ran has none; the others' are worth having
            return f"(no log: {error.problem})"

    def _follow(self) -> None:
        rollout, deployment = self._workloads.follow_rollout(
            self._name, seconds=self._patience.start, on_progress=lambda _progress: None
        )
        if rollout.done:
            return
        log = "\n".join(self.read_log(lines=_TOLD_LINES).splitlines()[-_TOLD_LINES:])
        raise VerificationFailed(
            f"{self.locator} does not run: {rollout.ready} of {rollout.wanted} pods are ready"
            f" ({rollout.cause or 'unknown'}: {rollout.detail})\nits last log lines:\n{log}",
            f"{_kubectl(deployment)} describe deployment/{self._name}",
        )


def _kubectl(deployment: DeploymentFacts) -> str:
    return f"kubectl --namespace {deployment.namespace}"


def _state(deployment: DeploymentFacts) -> ServiceState:
    if deployment.wanted == 0:
        return "stopping" if deployment.pods_that_stay else "stopped"
    if deployment.available:
        return "running" if deployment.rolled_out or _stuck(deployment) else "starting"
    return "failed" if _stuck(deployment) else "starting"


def _stuck(deployment: DeploymentFacts) -> bool:
    return any(_trouble(one) for one in deployment.current_pods)


def _trouble(pod: PodFacts) -> str:
    """Why a pod does not get on, if it does not."""
    if pod.failed or pod.unschedulable:
        return pod.unschedulable or pod.reason or "failed"
    held = next((one for one in pod.containers if _held(one)), None)
    return f"{held.reason} {held.message}".strip() if held else ""


def _held(container: ContainerFacts) -> bool:
    return container.state == "waiting" and container.reason not in ("", "ContainerCreating", "PodInitializing")


def _detail(deployment: DeploymentFacts) -> str:
    told = [f"{deployment.available} of {deployment.wanted} pods are available"]
    told += [f"{pod.name}: {trouble}" for pod in deployment.pods_that_stay if (trouble := _trouble(pod))]
    return "; ".join(told)
