"""A deployment with all that belongs to it, read into facts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.fields import (
    Json,
    condition,
    name_of,
    number,
    owned_by,
    part,
    text,
    uid_of,
    value,
)
from recovery.adapters.kubernetes.notes import noted_limits, noted_size
from recovery.adapters.kubernetes.pods import read_pod
from recovery.adapters.kubernetes.refusals import NotPermitted, NotThere
from recovery.adapters.kubernetes.resources import (
    AUTOSCALERS,
    BUDGETS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
)
from recovery.adapters.kubernetes.selectors import as_text, finds
from recovery.adapters.kubernetes.versions import images, newest_first, of_template, read_revision
from recovery.errors import SettingsInvalid
from recovery.facts import AutoscalerFacts, BudgetFacts, DeploymentFacts
from recovery.redaction import remember_names

_DEADLINE_PASSED = "ProgressDeadlineExceeded"
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


class Deployments:
    """Reads deployments of a namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def get(self, name: str) -> dict[str, Any]:
        """A deployment as the cluster keeps it. Raises: SettingsInvalid, with what there is."""
        try:
            return self._cluster.get(DEPLOYMENTS, name)
        except NotThere as error:
            raise self._unknown(name) from error

    def family(self, name: str) -> Family:
        """A deployment with what it owns: by its own selector, and by who controls whom."""
        deployment = self.get(name)
        selector = as_text(part(deployment, "spec", "selector"))
        sets = self._cluster.find(REPLICA_SETS, labelSelector=selector)
        ours = newest_first([one for one in sets if owned_by(one, {uid_of(deployment)})])
        pods, state = self._cluster.find_at(PODS, labelSelector=selector)
        owners = {uid_of(one) for one in ours}
        return Family(deployment, ours, [one for one in pods if owned_by(one, owners)], state)

    def facts(self, family: Family) -> DeploymentFacts:
        """All that is known of it, with what limits it."""
        unseen: list[str] = []
        autoscaler = self._seen("autoscalers", lambda: self.autoscaler(name_of(family.deployment)), unseen)
        budgets = self._seen("disruption budgets", lambda: self._budgets(family.deployment), unseen)
        read = _read(family, self._cluster.namespace, autoscaler, budgets or (), tuple(unseen))
        remember_names(_names(read))
        return read

    def autoscaler(self, name: str) -> AutoscalerFacts | None:
        """What sizes a deployment; None when nothing does. Raises: NotPermitted, NotThere when it cannot be known."""
        for one in self._cluster.find(AUTOSCALERS):
            target = part(one, "spec", "scaleTargetRef")
            if (target.get("kind"), target.get("name")) == ("Deployment", name):
                return _read_autoscaler(one)
        return None

    def _budgets(self, deployment: Json) -> tuple[BudgetFacts, ...]:
        labels = part(deployment, "spec", "template", "metadata", "labels")
        # One without a selector covers nothing.
        covering = (one for one in self._cluster.find(BUDGETS) if value(one, "spec", "selector") is not None)
        return tuple(_read_budget(one) for one in covering if finds(part(one, "spec", "selector"), labels))

    def _seen(self, what: str, look: Callable[[], Any], unseen: list[str]) -> Any:
        """What there is, or None with the reason why it could not be looked at."""
        try:
            return look()
        except (NotPermitted, NotThere) as error:
            unseen.append(f"{what}: {error.problem}")
            return None

    def _unknown(self, name: str) -> SettingsInvalid:
        namespace = self._cluster.namespace
        there = ", ".join(sorted(name_of(one) for one in self._cluster.find(DEPLOYMENTS)))
        if not there and not self._has_namespace(namespace):
            return SettingsInvalid(
                f"the cluster {self._cluster.server} has no namespace {namespace}",
                "correct namespace or context in [kubernetes] of recovery.toml",
            )
        return SettingsInvalid(
            f"namespace {namespace} has no deployment {name}; its deployments: {there or 'none'}",
            "correct the name in [services] of recovery.toml, or namespace or context in [kubernetes]",
        )

    def _has_namespace(self, name: str) -> bool:
        try:
            self._cluster.get(NAMESPACES, name)
        except NotThere:
            return False
        return True


def _read(
    family: Family,
    namespace: str,
    autoscaler: AutoscalerFacts | None,
    budgets: tuple[BudgetFacts, ...],
    unseen: tuple[str, ...],
) -> DeploymentFacts:
    deployment, status = family.deployment, part(family.deployment, "status")
    current, progress = of_template(deployment, family.replica_sets), condition(deployment, "Progressing")
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
        revisions=tuple(read_revision(one) for one in family.replica_sets),
        pods=tuple(read_pod(one) for one in family.pods),
        autoscaler=autoscaler,
        budgets=budgets,
        scaled_from=noted_size(deployment),
        scaled_autoscaler=noted_limits(deployment),
        stalled=text(progress, "message") if progress.get("reason") == _DEADLINE_PASSED else "",
        unseen=unseen,
    )


def wanted_size(deployment: Json) -> int:
    return number(deployment, "spec", "replicas", default=_ONE_DEFAULT)


def _read_autoscaler(one: Json) -> AutoscalerFacts:
    return AutoscalerFacts(
        name=name_of(one),
        minimum=number(one, "spec", "minReplicas", default=_ONE_DEFAULT),
        maximum=number(one, "spec", "maxReplicas"),
        current=number(one, "status", "currentReplicas"),
        desired=number(one, "status", "desiredReplicas"),
    )


def _read_budget(one: Json) -> BudgetFacts:
    status = part(one, "status")
    return BudgetFacts(
        name=name_of(one),
        disruptions_allowed=number(status, "disruptionsAllowed"),
        wanted_healthy=number(status, "desiredHealthy"),
        healthy=number(status, "currentHealthy"),
    )


def _names(read: DeploymentFacts) -> set[str]:
    """What stays readable where a weak secret is a part of it: pod names with the password `clickview` in them."""
    owned = (*(one.name for one in read.revisions), *(one.name for one in read.pods))
    objects = [read.name, read.namespace, *owned, *(one.name for one in read.budgets)]
    shown = [*read.images, *(image for one in read.revisions for image in one.images)]
    return {*objects, read.autoscaler.name if read.autoscaler else "", *filter(_IMAGE.fullmatch, shown)}
