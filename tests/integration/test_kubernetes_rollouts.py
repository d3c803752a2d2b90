"""A rollout followed to its end: done, hanging for each reason, and through an API server that is not always there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from checks.rollout import judge_rollout
from recovery.adapters.kubernetes.resources import DEPLOYMENTS, PODS
from recovery.errors import SettingsInvalid, TargetUnreachable
from recovery.facts import DeploymentFacts, Progress, Rollout, WorkloadEvent
from tests.fix_workloads import NAME, NO_IMAGE, NODES, OTHER_IMAGE, QUOTAS, ClusterAlone, at_once, ignore
from tests.waiting import PATIENCE, until


def followed(alone: ClusterAlone, judge: Any = at_once, seconds: float = PATIENCE) -> tuple[Rollout, list[Progress]]:
    seen: list[Progress] = []
    rollout, _ = alone.workloads(judge).follow_rollout(NAME, seconds=seconds, on_progress=seen.append)
    return rollout, seen


def hang(alone: ClusterAlone, judge: Any = at_once) -> tuple[str | None, str]:
    rollout, _ = followed(alone, judge)
    assert not rollout.done
    return rollout.cause, rollout.detail


def let_nodes_take_pods(alone: ClusterAlone, yes: bool) -> bool:
    for node in alone.admin.find(NODES):
        alone.admin.patch(NODES, node["metadata"]["name"], {"spec": {"unschedulable": None if yes else True}})
    return True


@contextmanager
def cordoned(alone: ClusterAlone) -> Iterator[None]:
    """No node takes a new pod."""
    let_nodes_take_pods(alone, False)
    try:
        yield
    finally:
        let_nodes_take_pods(alone, True)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# Done ----------------------------------------------------------------------------------------------


def test_one_that_goes_well_with_who_is_waited_for(alone: ClusterAlone) -> None:
    alone.make()
    alone.rolled_out()
    seen: list[Progress] = []

    def look(progress: Progress) -> None:
        seen.append(progress)
        if "no node takes pod" in progress.detail:  # so that it is not done at the first look
            let_nodes_take_pods(alone, True)

    with cordoned(alone):
        alone.workloads().restart(NAME, "t")
        rollout, _ = alone.workloads().follow_rollout(NAME, seconds=PATIENCE, on_progress=look)
    assert rollout == Rollout(True, 2, 2)
    assert {one.phase for one in seen} == {f"rollout of {NAME}"}
    assert any(one.detail.startswith("0 of 2 ready; no node takes pod ") for one in seen)
    assert seen[-1].detail == "2 of 2 ready" and seen[-1].percent == 100


def test_the_condition_of_the_rollout_before_says_nothing_of_this_one(alone: ClusterAlone) -> None:
    alone.make(progressDeadlineSeconds=1)
    first = alone.rolled_out().revision
    alone.change_container(image=NO_IMAGE)
    until(lambda: alone.workloads().read_deployment(NAME).stalled)
    assert first
    alone.workloads().roll_back(NAME, first.number)
    assert followed(alone)[0].done


# Hanging -------------------------------------------------------------------------------------------


def test_no_image(alone: ClusterAlone) -> None:
    alone.make()
    alone.rolled_out()
    alone.change_container(image=NO_IMAGE)
    cause, detail = hang(alone)
    assert cause == "image" and f"image {NO_IMAGE} (" in detail and "not found" in detail
    assert len(alone.workloads().read_deployment(NAME).pods_that_stay) == 3  # those of before go on


def test_a_crash_with_its_exit_code(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.rolled_out()
    alone.change_container(command=["sh", "-c", "exit 78"])
    cause, detail = hang(alone, judge_rollout)
    assert cause == "crash" and "container worker ended with exit code 78, 2 times: " in detail


def test_a_secret_that_is_not_there(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.change_container(envFrom=[{"secretRef": {"name": "clickview-none"}}])
    cause, detail = hang(alone)
    assert cause == "crash" and "cannot start (CreateContainerConfigError): " in detail and "clickview-none" in detail


def test_too_little_memory(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.change_container(resources={"limits": {"memory": "16Ki"}})
    cause, detail = hang(alone, judge_rollout)
    assert cause == "memory" and "was killed for using more memory than its limit" in detail


def test_a_quota_that_is_used_up(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.rolled_out()
    alone.admin.create(QUOTAS, {"metadata": {"name": "team"}, "spec": {"hard": {"pods": "1"}}})
    alone.workloads().scale(NAME, 2)
    cause, detail = hang(alone)
    assert cause == "quota" and "exceeded quota: team" in detail


def test_no_node_takes_it(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    alone.rolled_out()
    with cordoned(alone):
        alone.workloads().restart(NAME, "t")
        cause, detail = hang(alone)
    assert cause == "node" and "nodes are available: 2 node(s) were unschedulable" in detail
    assert followed(alone)[0].done


def test_it_runs_and_never_gets_ready(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    probe = {"httpGet": {"path": "/", "port": 1}, "periodSeconds": 1}
    alone.admin.patch(DEPLOYMENTS, NAME, {"spec": {"progressDeadlineSeconds": 1}})
    alone.change_container(readinessProbe=probe)
    cause, detail = hang(alone)
    assert cause == "probe" and "runs, and is not ready: " in detail


def test_a_cause_has_to_stand_before_it_counts(alone: ClusterAlone) -> None:
    """A registry that is away for a moment."""
    alone.make(replicas=1)
    alone.rolled_out()
    causes: list[str | None] = []

    def patient(facts: DeploymentFacts, events: tuple[WorkloadEvent, ...]) -> Rollout:
        judged = replace(judge_rollout(facts, events), patience_seconds=PATIENCE)
        causes.append(judged.cause)
        if judged.cause == "image":
            alone.change_container(image=OTHER_IMAGE)
        return judged

    alone.change_container(image=NO_IMAGE)
    assert followed(alone, patient)[0].done
    assert "image" in causes and causes[-1] is None


def test_the_deadline(alone: ClusterAlone) -> None:
    with cordoned(alone):
        alone.make(replicas=1)
        rollout, _ = followed(alone, judge_rollout, seconds=1)
    assert (rollout.done, rollout.ready, rollout.wanted, rollout.cause) == (False, 0, 1, "node")
    assert rollout.detail.startswith("not done after 1 s: no node takes pod ")


def test_a_deployment_that_is_deleted_meanwhile(alone: ClusterAlone) -> None:
    def look(_progress: Progress) -> None:
        alone.admin.delete(DEPLOYMENTS, NAME)

    with cordoned(alone):
        alone.make(replicas=1)
        with pytest.raises(SettingsInvalid, match="its deployments: none"):
            alone.workloads().follow_rollout(NAME, seconds=PATIENCE, on_progress=look)


# Through trouble -----------------------------------------------------------------------------------


def during(alone: ClusterAlone, break_it: Callable[[], None], mend: Callable[[], None]) -> Rollout:
    """Follow a rollout; break the API server at the first look, mend it once that was noticed."""
    seen: list[Progress] = []
    noticed: list[str] = []

    def look(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 1:
            break_it()
        elif "does not answer" in progress.detail and not noticed:
            noticed.append(progress.detail)
            mend()
            until(lambda: let_nodes_take_pods(alone, True), what="the API server answers again")

    with cordoned(alone):  # so that it is not done before
        alone.workloads().restart(NAME, "t")
        workloads = alone.workloads(judge_rollout, request_seconds=1)
        rollout, _ = workloads.follow_rollout(NAME, seconds=PATIENCE, on_progress=look)
    assert noticed
    return rollout


def test_an_api_server_that_hangs_and_comes_back(alone: ClusterAlone) -> None:
    alone.make()
    alone.rolled_out()
    pid = alone.pid
    stop, go_on = (lambda: os.kill(pid, signal.SIGSTOP)), (lambda: os.kill(pid, signal.SIGCONT))
    assert during(alone, stop, go_on) == Rollout(True, 2, 2)


def test_an_api_server_that_dies_and_is_started_again(alone: ClusterAlone) -> None:
    alone.make()
    alone.rolled_out()
    pid = alone.pid
    assert during(alone, lambda: os.kill(pid, signal.SIGKILL), alone.start) == Rollout(True, 2, 2)


def test_one_that_stays_away_is_told_at_the_deadline(alone: ClusterAlone) -> None:
    alone.make(replicas=1)
    with frozen(alone.pid), pytest.raises(TargetUnreachable, match="does not answer within 1 s"):
        alone.workloads(request_seconds=1).follow_rollout(NAME, seconds=1, on_progress=ignore)


def test_a_watch_from_a_moment_that_is_forgotten_ends_at_once(alone: ClusterAlone) -> None:
    """410 is an answer like any other: look again."""
    alone.make(replicas=1)
    alone.rolled_out()
    for since in ("1", "", "0"):
        alone.admin.wait_for_change(PODS, since, seconds=PATIENCE)
