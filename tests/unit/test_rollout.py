"""When a rollout is done, when it hangs and why, and when it only takes its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checks.rollout import judge_rollout
from recovery.facts import (
    ContainerFacts,
    DeploymentFacts,
    PodFacts,
    RevisionFacts,
    Rollout,
    WorkloadEvent,
)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
NEW, OLD = RevisionFacts("backend-new", 2, ("backend:2",), 2, 2), RevisionFacts("backend-old", 1, ("backend:1",), 0, 0)
RUNNING = ContainerFacts("backend", "backend:2", "running", True, 0)


def pod(name: str, *containers: ContainerFacts, ready: bool = False, **changed: Any) -> PodFacts:
    facts = PodFacts(name, f"uid-{name}", "Running", ready, False, NEW.name, containers=containers or (RUNNING,))
    return replace(facts, **changed)


READY = pod("backend-new-a", ready=True), pod("backend-new-b", ready=True)


def deployment(*pods: PodFacts, **changed: Any) -> DeploymentFacts:
    facts = DeploymentFacts(
        name="backend",
        namespace="clickview",
        selector="app=clickview,component=backend",
        wanted=2,
        updated=2,
        ready=2,
        available=2,
        settled=True,
        paused=False,
        images=("backend:2",),
        revision=NEW,
        revisions=(NEW, OLD),
        pods=pods,
    )
    return replace(facts, **changed)


def hang(*pods: PodFacts, events: tuple[WorkloadEvent, ...] = (), **changed: Any) -> tuple[str | None, str, float]:
    judged = judge_rollout(deployment(*pods, **{"available": 1, **changed}), events)
    assert not judged.done
    return judged.cause, judged.detail, judged.patience_seconds


def waits(reason: str, message: str = "", restarts: int = 0, **changed: Any) -> ContainerFacts:
    return replace(ContainerFacts("backend", "backend:2", "waiting", False, restarts, reason, message), **changed)


def event(reason: str, message: str, about: str = "pod/backend-new-b", count: int = 1) -> WorkloadEvent:
    return WorkloadEvent(NOW, True, reason, about, message, count)


# Done ----------------------------------------------------------------------------------------------


def test_it_is_done_when_its_numbers_and_its_pods_say_so() -> None:
    assert judge_rollout(deployment(*READY)) == Rollout(True, 2, 2)


def test_pods_that_leave_and_pods_that_ended_do_not_count() -> None:
    leaving = replace(READY[0], name="backend-old-z", revision=OLD.name, deleting=True)
    evicted = replace(READY[0], name="backend-new-c", phase="Failed", ready=False)
    assert judge_rollout(deployment(*READY, leaving, evicted)).done


def test_none_is_wanted_and_none_is_there() -> None:
    nothing = {"wanted": 0, "updated": 0, "ready": 0, "available": 0}
    assert judge_rollout(deployment(**nothing)).done
    assert not judge_rollout(deployment(READY[0], **nothing)).done


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"settled": False}, "waiting for the cluster to take it up"),
        ({"revision": None}, "waiting for the cluster to take it up"),
        ({"updated": 1}, "waiting for them to count as available"),
        ({"available": 1}, "waiting for them to count as available"),
        ({"wanted": 3}, "waiting for pods to be made"),
    ],
)
def test_numbers_that_are_behind(changed: dict[str, Any], detail: str) -> None:
    judged = judge_rollout(deployment(*READY, **changed))
    assert (judged.done, judged.cause, judged.detail) == (False, None, detail)


def test_an_old_pod_that_has_still_to_go() -> None:
    old = replace(READY[0], name="backend-old-z", revision=OLD.name)
    judged = judge_rollout(deployment(*READY, old))
    assert judged == Rollout(False, 2, 2, detail="waiting for pod backend-old-z to go")


def test_numbers_of_before_and_pods_that_are_not_ready() -> None:
    judged = judge_rollout(deployment(READY[0], pod("backend-new-b")))
    assert judged == Rollout(False, 1, 2, detail="waiting for pod backend-new-b: Running")


def test_who_is_waited_for() -> None:
    starting = pod("backend-new-b", waits("ContainerCreating"), phase="Pending")
    assert hang(READY[0], starting) == (None, "waiting for pod backend-new-b: ContainerCreating", 0)
    warned = event("FailedMount", 'configmap "none" not found'), event("Odd", "of another", about="pod/other")
    assert hang(READY[0], starting, events=warned) == (
        None,
        'waiting for pod backend-new-b: ContainerCreating (FailedMount: configmap "none" not found)',
        0,
    )
    slow = pod("backend-new-b", replace(RUNNING, ready=False))
    assert hang(READY[0], slow) == (None, "waiting for pod backend-new-b: runs, not ready yet", 0)


# Hangs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_had(reason: str) -> None:
    assert hang(READY[0], pod("backend-new-b", waits(reason, "not found"))) == (
        "image",
        f"pod backend-new-b, container backend: image backend:2 ({reason}): not found",
        10,
    )


def test_a_container_that_cannot_even_start() -> None:
    found = hang(pod("backend-new-b", waits("CreateContainerConfigError", 'secret "clickview-secrets" not found')))
    assert found == (
        "crash",
        'pod backend-new-b, container backend cannot start (CreateContainerConfigError): secret "clickview-secrets" not found',
        10,
    )


def test_a_crash_counts_from_the_second_restart() -> None:
    crashed = waits(
        "CrashLoopBackOff", "back-off 20s", restarts=2, last_reason="Error", last_exit_code=78, last_message="no key"
    )
    assert hang(pod("backend-new-b", crashed)) == (
        "crash",
        "pod backend-new-b, container backend ended with exit code 78 (no key), 2 times",
        0,
    )
    once = replace(crashed, restarts=1)
    assert hang(pod("backend-new-b", once)) == (None, "waiting for pod backend-new-b: CrashLoopBackOff", 0)
    running_again = replace(RUNNING, ready=False, restarts=2, last_reason="Error")
    assert hang(pod("backend-new-b", running_again))[0] is None


def test_what_it_says_itself_between_two_starts() -> None:
    ended = ContainerFacts("backend", "backend:2", "terminated", False, 3, "Error", "no DATABASE_URL", exit_code=1)
    assert hang(pod("backend-new-b", ended))[:2] == (
        "crash",
        "pod backend-new-b, container backend ended with exit code 1 (no DATABASE_URL), 3 times",
    )


@pytest.mark.parametrize(
    "ended",
    [
        waits("CrashLoopBackOff", restarts=2, last_reason="OOMKilled", last_exit_code=137),
        ContainerFacts("backend", "backend:2", "terminated", False, 2, "OOMKilled", exit_code=137),
    ],
)
def test_too_little_memory(ended: ContainerFacts) -> None:
    assert hang(pod("backend-new-b", ended)) == (
        "memory",
        "pod backend-new-b, container backend was killed for using more memory than its limit, 2 times",
        0,
    )


def test_an_ended_container_of_a_pod_that_is_ready_is_no_hang() -> None:
    ready = replace(READY[1], containers=(waits("CrashLoopBackOff", restarts=9),))
    assert hang(READY[0], ready)[0] is None


def test_the_old_pods_troubles_are_not_those_of_the_rollout() -> None:
    old = pod("backend-old-z", waits("ImagePullBackOff"), revision=OLD.name)
    assert hang(READY[0], old)[0] is None


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('pods "x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=5, limited: pods=5', "quota"),
        ('pods "x" is forbidden: error looking up service account clickview/backend', "unknown"),
    ],
)
def test_pods_that_may_not_be_made(message: str, cause: str) -> None:
    found = hang(READY[0], revision=replace(NEW, message=message))
    assert found == (cause, f"the cluster makes no more pods for backend: {message}", 15)


def test_a_message_of_before_is_nothing_when_all_pods_are_there() -> None:
    assert hang(*READY, revision=replace(NEW, message="exceeded quota"))[0] is None


def test_no_node() -> None:
    waiting = pod("backend-new-b", phase="Pending", unschedulable="0/3 nodes are available: 3 Insufficient cpu.")
    assert hang(READY[0], waiting) == (
        "node",
        "no node takes pod backend-new-b: 0/3 nodes are available: 3 Insufficient cpu.",
        20,
    )
    comes = event("TriggeredScaleUp", "pod triggered scale-up")
    assert hang(READY[0], waiting, events=(comes,)) == (
        None,
        "waiting for pod backend-new-b: a node is being added for it",
        0,
    )


FAILED_PROBE = event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", count=3)


def test_probes_that_fail() -> None:
    running = pod("backend-new-b", replace(RUNNING, ready=False))
    assert hang(READY[0], running, events=(FAILED_PROBE,)) == (
        "probe",
        "pod backend-new-b runs, and is not ready: Readiness probe failed: HTTP probe failed with statuscode: 503",
        30,
    )
    assert hang(READY[0], running, events=(replace(FAILED_PROBE, count=2),))[0] is None
    assert hang(READY[0], running, events=(replace(FAILED_PROBE, about="pod/other"),))[0] is None


def test_past_the_cluster_s_own_deadline() -> None:
    running, stalled = pod("backend-new-b", replace(RUNNING, ready=False)), 'ReplicaSet "x" has timed out progressing.'
    assert hang(READY[0], running, stalled=stalled) == (
        "probe",
        f"pod backend-new-b runs, and is not ready: {stalled}",
        15,
    )
    assert hang(READY[0], stalled=stalled) == ("unknown", f"the cluster has given up on backend: {stalled}", 15)
    assert hang(READY[0], stalled=stalled, settled=False)[0] is None  # the condition is of the rollout before
    assert judge_rollout(deployment(*READY, stalled=stalled)).done


def test_a_liveness_probe_that_kills_it_again_and_again() -> None:
    killed = waits("CrashLoopBackOff", restarts=3, last_reason="Error", last_exit_code=137)
    failed = event("Unhealthy", "Liveness probe failed: timeout")
    assert hang(pod("backend-new-b", killed), events=(failed,))[:2] == (
        "probe",
        "pod backend-new-b, container backend was restarted 3 times: Liveness probe failed: timeout",
    )


def test_a_paused_one_says_how_it_goes_on() -> None:
    assert hang(READY[0], paused=True) == (
        "unknown",
        "deployment backend is paused: kubectl rollout resume deployment/backend",
        0,
    )
