"""Replaces the pods of a deployment: by the same version, or by a former one."""

from __future__ import annotations

from recovery.adapters.kubernetes.api import JSON_PATCH, Cluster
from recovery.adapters.kubernetes.deployments import Deployments
from recovery.adapters.kubernetes.fields import Json, name_of, part, value
from recovery.adapters.kubernetes.notes import RESTART, restart_token
from recovery.adapters.kubernetes.resources import DEPLOYMENTS
from recovery.adapters.kubernetes.versions import numbered, of_template, revision_number, template
from recovery.errors import GateRefused


def restart(cluster: Cluster, name: str, token: str) -> None:
    """Replace every pod, as `kubectl rollout restart` does; a token that its template has already changes nothing."""
    deployment = Deployments(cluster).get(name)
    if restart_token(deployment) == token:
        return
    _require_running(deployment)
    cluster.patch(
        DEPLOYMENTS, name, {"spec": {"template": {"metadata": {"annotations": {RESTART: token}}}}}
    )  # fmt: skip


def roll_back(cluster: Cluster, name: str, revision: int) -> None:
    """Put the template of a former version back, and nothing else; the one that it has already changes nothing.

    Raises: GateRefused when that version is gone.
    """
    family = Deployments(cluster).family(name)
    found = numbered(family.replica_sets, revision)
    if found is None:
        there = ", ".join(str(revision_number(one)) for one in family.replica_sets) or "none"
        raise GateRefused(
            f"deployment {name} has no version {revision} any more; its versions: {there}",
            "choose one of these, or deploy a good version anew",
        )
    if found is of_template(family.deployment, family.replica_sets):
        return
    _require_running(family.deployment)
    seen = {"op": "test", "path": "/spec/template", "value": part(family.deployment, "spec", "template")}
    former = {"op": "replace", "path": "/spec/template", "value": template(found)}
    try:
        cluster.patch(DEPLOYMENTS, name, [seen, former], JSON_PATCH)
    except GateRefused as error:
        if part(Deployments(cluster).get(name), "spec", "template") == seen["value"]:
            raise
        raise GateRefused(
            f"deployment {name} was changed while it was rolled back: somebody deploys",
            "speak with who deploys, and run it again: it looks anew",
        ) from error


def _require_running(deployment: Json) -> None:
    """Of a paused one the template would change, and no pod."""
    if value(deployment, "spec", "paused") is True:
        name = name_of(deployment)
        raise GateRefused(
            f"deployment {name} is paused: its pods would stay as they are",
            f"find out who paused it and why, then kubectl rollout resume deployment/{name}",
        )
