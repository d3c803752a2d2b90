"""Watches a rollout to its end, through an API server that hangs, restarts or has forgotten where we were."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.deployments import Deployments
from recovery.adapters.kubernetes.events import read_pod_events
from recovery.adapters.kubernetes.family import Family
from recovery.adapters.kubernetes.resources import PODS
from recovery.errors import RecoveryError, TargetUnreachable
from recovery.facts import DeploymentFacts, Progress, Rollout, WorkloadEvent

Judge: TypeAlias = Callable[[DeploymentFacts, tuple[WorkloadEvent, ...]], Rollout]

# A deployment's own numbers change without its pods, and a cause that stands still changes nothing at all.
_LOOK_SECONDS = 2.0
# A crowd of changes is one change.
_PAUSE_SECONDS = 0.3
# Why pods are not ready is the same for most of them.
_ASKED_PODS = 3


def follow(
    cluster: Cluster, name: str, judge: Judge, *, seconds: float, on_progress: Callable[[Progress], None]
) -> tuple[Rollout, DeploymentFacts]:
    """Look, and look again at each change of its pods, until it is done, hangs or the deadline is there.

    Waits: up to the deadline, and one answer of the API server.
    Raises: TargetUnreachable when the server does not answer at the deadline.
    """
    deadline, standing = time.monotonic() + seconds, _Standing()
    while True:
        try:
            family, facts, seen = _look(cluster, name, judge)
        except TargetUnreachable as error:
            if time.monotonic() >= deadline:
                raise
            on_progress(Progress(f"rollout of {name}", detail=error.problem))
            time.sleep(_PAUSE_SECONDS)
            continue
        on_progress(_progress(name, seen))
        if seen.done or standing.long_enough(seen):
            return seen, facts
        if (left := deadline - time.monotonic()) <= 0:
            return replace(
                seen, cause=seen.cause or "unknown", detail=f"not done after {seconds:.0f} s: {seen.detail}"
            ), facts
        _wait_for_change(cluster, family, min(left, _LOOK_SECONDS))


def _look(cluster: Cluster, name: str, judge: Judge) -> tuple[Family, DeploymentFacts, Rollout]:
    deployments = Deployments(cluster)
    family = deployments.family(name)
    facts = deployments.facts(family)
    unready = [one.name for one in facts.current_pods if not one.ready][:_ASKED_PODS]
    events = tuple(event for pod in unready for event in read_pod_events(cluster, pod))
    return family, facts, judge(facts, events)


def _wait_for_change(cluster: Cluster, family: Family, seconds: float) -> None:
    """A watch that breaks off, for whatever reason, only means that it is time to look."""
    try:
        cluster.wait_for_change(PODS, family.state, seconds=seconds, labelSelector=family.selector)
    except RecoveryError:
        time.sleep(min(seconds, _PAUSE_SECONDS))
    time.sleep(min(seconds, _PAUSE_SECONDS))


def _progress(name: str, seen: Rollout) -> Progress:
    """Its bytes are pods here: they only give the bar its length."""
    detail = f"{seen.ready} of {seen.wanted} ready; {seen.detail}".removesuffix("; ")
    return Progress(f"rollout of {name}", done_bytes=seen.ready, total_bytes=seen.wanted, detail=detail)


@dataclass
class _Standing:
    """Since when the same cause has been there."""

    cause: str | None = None
    since: float = 0.0

    def long_enough(self, seen: Rollout) -> bool:
        now = time.monotonic()
        if seen.cause != self.cause:
            self.cause, self.since = seen.cause, now
        return seen.cause is not None and now - self.since >= seen.patience_seconds
