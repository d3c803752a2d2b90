"""A deployment as a service: what the cluster's facts mean, and what is left to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from recovery.adapters.services.kubernetes import KubernetesService
from recovery.adapters.services.reached import Patience
from recovery.errors import GateRefused, TargetUnreachable, VerificationFailed
from recovery.facts import ContainerFacts, DeploymentFacts, PodFacts, Progress, RevisionFacts, Rollout
from recovery.roles import Workloads

MADE_AT = datetime(2026, 11, 29, 11, 0, tzinfo=UTC)
RUNS = ContainerFacts("backend", "clickview/backend:1.4.2", "running", True, 0)


def pod(number: int, **container: Any) -> PodFacts:
    one = replace(RUNS, **container)
    return PodFacts(f"backend-{number}", str(number), "Running", one.ready, False, "rs-2", containers=(one,))


def deployment(*pods: PodFacts, wanted: int = 3, available: int = 3, **other: Any) -> DeploymentFacts:
    facts = DeploymentFacts(
        "clickview-backend",
        "clickview",
        "app=clickview,component=backend",
        wanted=wanted,
        updated=wanted,
        ready=available,
        available=available,
        settled=True,
        paused=False,
        images=("clickview/backend:1.4.2",),
        revision=RevisionFacts("rs-2", 2, ("clickview/backend:1.4.2",), wanted, available, MADE_AT),
        pods=pods,
    )
    return replace(facts, **other)


THREE = tuple(pod(number) for number in range(3))
STUCK = pod(
    2, state="waiting", ready=False, restarts=7, reason="CrashLoopBackOff", message="back-off 40s", last_exit_code=3
)
PENDING = replace(pod(2), phase="Pending", ready=False, containers=(), unschedulable="0/3 nodes: Insufficient memory")
COMES = pod(2, state="waiting", ready=False, reason="ContainerCreating")


class OfATest:
    """A cluster that shows one deployment and notes what it is told to do."""

    def __init__(self, shown: DeploymentFacts, rollout: Rollout | None = None) -> None:
        self.shown, self.rollout = shown, rollout or Rollout(True, 3, 3)
        self.restarts: list[str] = []

    def read_deployment(self, _name: str) -> DeploymentFacts:
        return self.shown

    def restart(self, name: str, token: str) -> None:
        assert name == "clickview-backend"
        self.restarts.append(token)

    def read_log(self, pod: str, *, lines: int, previous: bool = False) -> str:
        if pod == "backend-2":
            raise TargetUnreachable("container is waiting to start", "wait")
        return "".join(f"{pod} line {number}\n" for number in range(lines))

    def follow_rollout(
        self, _name: str, *, seconds: float, on_progress: Callable[[Progress], None]
    ) -> tuple[Rollout, DeploymentFacts]:
        return self.rollout, self.shown


def service(cluster: OfATest) -> KubernetesService:
    return KubernetesService(cast(Workloads, cluster), "deployment", "clickview-backend", Patience(600, 120))


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (deployment(*THREE), ("running", True, 0, "3 of 3 pods are available")),
        (deployment(*THREE[:2], STUCK, available=2),
         ("running", False, 7, "2 of 3 pods are available; backend-2: CrashLoopBackOff back-off 40s")),
        (deployment(*THREE[:2], PENDING, available=2),
         ("running", False, 0, "2 of 3 pods are available; backend-2: 0/3 nodes: Insufficient memory")),
        (deployment(STUCK, available=0),
         ("failed", None, 7, "0 of 3 pods are available; backend-2: CrashLoopBackOff back-off 40s")),
        (deployment(*THREE[:2], COMES, available=2), ("starting", None, 0, "2 of 3 pods are available")),
        (deployment(COMES, available=0), ("starting", None, 0, "0 of 3 pods are available")),
        (deployment(wanted=0, available=0), ("stopped", None, 0, "0 of 0 pods are available")),
        (deployment(pod(1), wanted=0, available=0), ("stopping", None, 0, "0 of 0 pods are available")),
    ],
)  # fmt: skip
def test_what_a_cluster_shows_of_a_deployment_is_told_apart(shown: DeploymentFacts, told: tuple[object, ...]) -> None:
    facts = service(OfATest(shown)).read_facts()
    assert (facts.state, facts.healthy, facts.restarts, facts.detail) == told
    assert (facts.locator, facts.since) == ("kubernetes:deployment/clickview-backend", MADE_AT)


def test_a_restart_is_a_rollout_of_its_own_that_is_followed() -> None:
    cluster = OfATest(deployment(*THREE))
    service(cluster).restart()
    service(cluster).restart()
    assert len(set(cluster.restarts)) == 2
    service(cluster).start()
    assert len(cluster.restarts) == 2


def test_a_rollout_that_hangs_is_told_with_its_cause_and_log_lines() -> None:
    cluster = OfATest(deployment(*THREE), Rollout(False, 2, 3, "image", "ImagePullBackOff: no such tag"))
    with pytest.raises(VerificationFailed) as told:
        service(cluster).restart()
    assert told.value.problem.startswith(
        "kubernetes:deployment/clickview-backend does not run: 2 of 3 pods are ready (image: ImagePullBackOff: no such tag)"
    )
    assert told.value.problem.endswith("==> backend-2 <==\n(no log: container is waiting to start)")
    assert told.value.next_step == "kubectl --namespace clickview describe deployment/clickview-backend"


def test_its_size_is_a_persons() -> None:
    with pytest.raises(GateRefused) as told:
        service(OfATest(deployment(*THREE))).stop()
    assert "its size (3) would be lost" in told.value.problem
    assert told.value.next_step.endswith(
        "kubectl --namespace clickview scale deployment/clickview-backend --replicas=0"
    )
    none = OfATest(deployment(wanted=0, available=0))
    service(none).stop()
    for act in (service(none).start, service(none).restart):
        with pytest.raises(GateRefused) as told:
            act()
        assert told.value.next_step.endswith("scale deployment/clickview-backend --replicas=N")
    assert none.restarts == []
    noted = OfATest(deployment(wanted=0, available=0, scaled_from=3))
    with pytest.raises(GateRefused) as told:
        service(noted).start()
    assert told.value.next_step.endswith("--replicas=3")


def test_log_lines_of_every_pod_even_of_one_that_has_none() -> None:
    said = service(OfATest(deployment(*THREE))).read_log(lines=2)
    assert said.splitlines() == [
        "==> backend-0 <==",
        "backend-0 line 0",
        "backend-0 line 1",
        "==> backend-1 <==",
        "backend-1 line 0",
        "backend-1 line 1",
        "==> backend-2 <==",
        "(no log: container is waiting to start)",
    ]
