"""A deployment with what it owns: as the cluster keeps it, and as facts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from recovery.adapters.kubernetes.fields import Json, condition, name_of, number, part, text, value
from recovery.adapters.kubernetes.notes import noted_limits, noted_size
from recovery.adapters.kubernetes.pods import read_pod
from recovery.adapters.kubernetes.selectors import as_text
from recovery.adapters.kubernetes.versions import images, of_template, read_revision, restarted_as
from recovery.facts import AutoscalerFacts, BudgetFacts, DeploymentFacts

_DEADLINE_PASSED = "ProgressDeadlineExceeded"
_CAME_UP = "NewReplicaSetAvailable"  # it stays when pods fail later, until the template changes
_ONE_DEFAULT = 1  # a deployment that says no size has one pod; an autoscaler that says no minimum has that
_IMAGE = re.compile(r"[\w./:-]+(@sha256:[0-9a-f]{64})?", re.ASCII)


@dataclass(frozen=True)
class Family:
    """A deployment, its versions and its pods, as the cluster keeps them; and of which state of the cluster that is."""

    deployment: dict[str, Any]
    replica_sets: list[dict[str, Any]]
    pods: list[dict[str, Any]]
    state: str

    @property
    def selector(self) -> str:
        return as_text(part(self.deployment, "spec", "selector"))


def describe(
    family: Family,
    namespace: str,
    autoscaler: AutoscalerFacts | None,
    budgets: tuple[BudgetFacts, ...],
    unseen: tuple[str, ...],
) -> DeploymentFacts:
    """A deployment as facts."""
    deployment, status = family.deployment, part(family.deployment, "status")
    current = of_template(deployment, family.replica_sets)
    twins = restarted_as(current, family.replica_sets) if current else set()
    return DeploymentFacts(
        name=name_of(deployment),
        namespace=namespace,
        selector=family.selector,
        wanted=wanted_size(deployment),
        updated=number(status, "updatedReplicas"),
        ready=number(status, "readyReplicas"),
        available=number(status, "availableReplicas"),
        settled=number(status, "observedGeneration") >= number(deployment, "metadata", "generation"),
        paused=value(deployment, "spec", "paused") is True,
        images=images(deployment),
        revision=read_revision(current) if current else None,
        revisions=tuple(
            replace(read_revision(one), same_as_newest=name_of(one) in twins) for one in family.replica_sets
        ),
        pods=tuple(read_pod(one) for one in family.pods),
        autoscaler=autoscaler,
        budgets=budgets,
        scaled_from=noted_size(deployment),
        scaled_autoscaler=noted_limits(deployment),
        came_up=_progress(deployment, current, _CAME_UP) != "",
        stalled=_progress(deployment, current, _DEADLINE_PASSED),
        unseen=unseen,
    )


def _progress(deployment: Json, current: Json | None, reason: str) -> str:
    """What it says with this reason of how its rollout went; of another version than today's, it is of one before."""
    progress = condition(deployment, "Progressing")
    said = text(progress, "message")
    of_today = current is not None and name_of(current) in said
    return said if progress.get("reason") == reason and of_today else ""


def wanted_size(deployment: Json) -> int:
    """How many pods it is to have."""
    return number(deployment, "spec", "replicas", default=_ONE_DEFAULT)


def read_autoscaler(one: Json) -> AutoscalerFacts:
    """An autoscaler as facts."""
    return AutoscalerFacts(
        name=name_of(one),
        minimum=number(one, "spec", "minReplicas", default=_ONE_DEFAULT),
        maximum=number(one, "spec", "maxReplicas"),
        current=number(one, "status", "currentReplicas"),
        desired=number(one, "status", "desiredReplicas"),
    )


def read_budget(one: Json) -> BudgetFacts:
    """A disruption budget as facts."""
    status = part(one, "status")
    return BudgetFacts(
        name=name_of(one),
        disruptions_allowed=number(status, "disruptionsAllowed"),
        wanted_healthy=number(status, "desiredHealthy"),
        healthy=number(status, "currentHealthy"),
    )


def names_in(read: DeploymentFacts) -> set[str]:
    """Names that stay readable where a weak secret is a part of it: pod names with the password `clickview` in them."""
    owned = (*(one.name for one in read.revisions), *(one.name for one in read.pods))
    objects = [read.name, read.namespace, *owned, *(one.name for one in read.budgets)]
    shown = [*read.images, *(image for one in read.revisions for image in one.images)]
    return {*objects, read.autoscaler.name if read.autoscaler else "", *filter(_IMAGE.fullmatch, shown)}
