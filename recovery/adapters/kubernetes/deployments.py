"""Reads a deployment with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.family import Family, describe, names_in, read_autoscaler, read_budget
from recovery.adapters.kubernetes.fields import (
    Json,
    name_of,
    owned_by,
    part,
    uid_of,
    value,
)
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
from recovery.adapters.kubernetes.versions import newest_first
from recovery.errors import SettingsInvalid
from recovery.facts import AutoscalerFacts, BudgetFacts, DeploymentFacts
from recovery.redaction import remember_names


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
        read = describe(family, self._cluster.namespace, autoscaler, budgets or (), tuple(unseen))
        remember_names(names_in(read))
        return read

    def autoscaler(self, name: str) -> AutoscalerFacts | None:
        """What sizes a deployment; None when nothing does. Raises: NotPermitted, NotThere when it cannot be known."""
        for one in self._cluster.find(AUTOSCALERS):
            target = part(one, "spec", "scaleTargetRef")
            if (target.get("kind"), target.get("name")) == ("Deployment", name):
                return read_autoscaler(one)
        return None

    def _budgets(self, deployment: Json) -> tuple[BudgetFacts, ...]:
        labels = part(deployment, "spec", "template", "metadata", "labels")
        # One without a selector covers nothing.
        covering = (one for one in self._cluster.find(BUDGETS) if value(one, "spec", "selector") is not None)
        return tuple(read_budget(one) for one in covering if finds(part(one, "spec", "selector"), labels))

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
