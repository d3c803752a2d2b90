"""A deployment as a cluster would tell of it, for the unit tests of what is decided from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from recovery.facts import (
    ApplicationFacts,
    ContainerFacts,
    DeploymentFacts,
    HealthFacts,
    PodFacts,
    RevisionFacts,
)

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
OLD, NEW = "clickview-backend-1", "clickview-backend-2"


def container(**values: Any) -> ContainerFacts:
    """One that runs and is ready, unless said otherwise."""
    return replace(ContainerFacts("backend", "clickview/backend:2.3.0", "running", True, 0), **values)


def pod(number: int, revision: str = NEW, **values: Any) -> PodFacts:
    """One that is an hour old and ready, unless said otherwise; `inside` is its container."""
    inside = values.pop("inside", container(ready=values.get("ready", True)))
    made = PodFacts(f"{revision}-{number}", f"uid-{number}", "Running", True, False, revision, node="node-1")
    return replace(made, created_at=NOW - timedelta(hours=1), containers=(inside,), **values)


def revision(name: str = NEW, number: int = 2, ready: int = 3, **values: Any) -> RevisionFacts:
    return replace(RevisionFacts(name, number, (f"clickview/backend:2.{number}.0",), 3, ready), **values)


def deployment(*pods: PodFacts, **values: Any) -> DeploymentFacts:
    """Three wanted, of version 2, with version 1 before it."""
    ready = sum(one.ready for one in pods)
    newest = values.pop("revision", revision(ready=sum(one.ready for one in pods if one.revision == NEW)))
    kept = sum(one.ready for one in pods if one.revision == OLD)
    before = revision(OLD, 1, kept, wanted=kept)
    made = DeploymentFacts(
        name="clickview-backend",
        namespace="clickview",
        selector="app=clickview,component=backend",
        wanted=3,
        updated=sum(one.revision == NEW for one in pods),
        ready=ready,
        available=ready,
        settled=True,
        paused=False,
        images=newest.images,
        revision=newest,
        revisions=(newest, before),
        pods=pods,
    )
    return replace(made, **values)


def facts(*pods: PodFacts, status: int = 200, seconds: float = 0.1, **values: Any) -> ApplicationFacts:
    """What was seen: three good pods and a green health check, unless said otherwise."""
    pods = pods or (pod(1), pod(2), pod(3))
    seen = ApplicationFacts(
        health=HealthFacts(status, seconds, {}, looks=3, red_looks=0 if status == 200 else 3),
        deployment=values.pop("deployment", None) or deployment(*pods),
        events=(),
        usage=None,
        logs={},
        behind={"database": None, "redis": None},
        seen_at=NOW,
    )
    return replace(seen, **values)


def waiting(reason: str, **values: Any) -> ContainerFacts:
    """A container that does not come up."""
    return container(state="waiting", ready=False, reason=reason, **values)
