"""Replaces the pods of a deployment: by the same version, or by a former one."""

from __future__ import annotations

from recovery.adapters.kubernetes.api import JSON_PATCH, Cluster
from recovery.adapters.kubernetes.deployments import Deployments
from recovery.adapters.kubernetes.fields import Json, name_of, number, part, value
from recovery.adapters.kubernetes.notes import RESTART, restart_token
from recovery.adapters.kubernetes.resources import DEPLOYMENTS
from recovery.adapters.kubernetes.versions import numbered, of_template, revision_number, template
from recovery.errors import GateRefused

_ATTEMPTS = 5  # an autoscaler may change its size meanwhile


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
    _put_template(cluster, family.deployment, template(found))


def _put_template(cluster: Cluster, seen: Json, wanted: Json) -> None:
    """Have another template, unless somebody put another one there since it was seen.

    A text cannot be compared (an API server does it letter by letter, with escapes of its own); the number of its
    changes can, and that grows with every new size, too.
    """
    name, known = name_of(seen), seen
    for attempt in range(_ATTEMPTS):
        test = {"op": "test", "path": "/metadata/generation", "value": number(known, "metadata", "generation")}
        put = {"op": "replace", "path": "/spec/template", "value": wanted}
        try:
            cluster.patch(DEPLOYMENTS, name, [test, put], JSON_PATCH)
            return
        except GateRefused as error:
            before, known = known, Deployments(cluster).get(name)
            if part(known, "spec", "template") != part(seen, "spec", "template"):
                raise GateRefused(
                    f"deployment {name} was changed while it was rolled back: somebody deploys",
                    "speak with who deploys, and run it again: it looks anew",
                ) from error
            same = number(known, "metadata", "generation") == number(before, "metadata", "generation")
            if same or attempt == _ATTEMPTS - 1:
                raise


def _require_running(deployment: Json) -> None:
    """Of a paused one the template would change, and no pod."""
    if value(deployment, "spec", "paused") is True:
        name = name_of(deployment)
        raise GateRefused(
            f"deployment {name} is paused: its pods would stay as they are",
            f"find out who paused it and why, then kubectl rollout resume deployment/{name}",
        )
