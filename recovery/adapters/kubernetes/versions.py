"""The versions of a deployment: its ReplicaSets."""

from __future__ import annotations

from typing import Any

from recovery.adapters.kubernetes.fields import Json, condition, items, moment, name_of, number, part, text
from recovery.adapters.kubernetes.notes import RESTART
from recovery.facts import RevisionFacts

_NUMBER = "deployment.kubernetes.io/revision"
_FORMER_NUMBERS = "deployment.kubernetes.io/revision-history"
_RESTARTS = (RESTART, "kubectl.kubernetes.io/restartedAt")
_HASH = "pod-template-hash"  # the controller's own label: it tells the pods of two versions apart


def read_revision(replica_set: Json) -> RevisionFacts:
    """One version."""
    failure = condition(replica_set, "ReplicaFailure")
    return RevisionFacts(
        name=name_of(replica_set),
        number=revision_number(replica_set),
        images=images(replica_set),
        wanted=number(replica_set, "spec", "replicas"),
        ready=number(replica_set, "status", "readyReplicas"),
        created_at=moment(replica_set, "metadata", "creationTimestamp"),
        message=text(failure, "message") if failure.get("status") == "True" else "",
    )


def newest_first(replica_sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(replica_sets, key=lambda one: (revision_number(one), name_of(one)), reverse=True)


def of_template(deployment: Json, replica_sets: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The version that a deployment's template is now; None when its controller has not made it yet.

    As the controller itself finds it: the same template, and the oldest when there are two.
    """
    wanted = _without_empty(part(deployment, "spec", "template"))
    same = [one for one in replica_sets if _without_empty(template(one)) == wanted]
    return min(same, key=lambda one: text(one, "metadata", "creationTimestamp"), default=None)


def restarted_as(current: Json, replica_sets: list[dict[str, Any]]) -> set[str]:
    """The names of the versions that are the same as this one, but for a restart."""
    wanted = _without_restart(current)
    same = {name_of(one) for one in replica_sets if _without_restart(one) == wanted}
    return same - {name_of(current)}


def numbered(replica_sets: list[dict[str, Any]], number: int) -> dict[str, Any] | None:
    """The version with this number, or the one that had it: what is rolled back to gets a new number."""
    ranked = newest_first(replica_sets)
    exact = next((one for one in ranked if revision_number(one) == number), None)
    return exact or next((one for one in ranked if str(number) in _former_numbers(one)), None)


def template(replica_set: Json) -> dict[str, Any]:
    """Its pods' template, as the deployment had it."""
    whole = part(replica_set, "spec", "template")
    labels = {key: one for key, one in part(whole, "metadata", "labels").items() if key != _HASH}
    return whole | {"metadata": part(whole, "metadata") | {"labels": labels}}


def images(owner: Json) -> tuple[str, ...]:
    """The images that its template names."""
    return tuple(text(one, "image") for one in items(owner, "spec", "template", "spec", "containers"))


def revision_number(replica_set: Json) -> int:
    said = text(replica_set, "metadata", "annotations", _NUMBER)
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0


def _without_empty(thing: Any) -> Any:
    """To a controller no annotations and none left are the same."""
    if isinstance(thing, list):
        return [_without_empty(one) for one in thing]
    if not isinstance(thing, dict):
        return thing
    return {key: held for key, one in thing.items() if (held := _without_empty(one)) not in ({}, [], None, "")}


def _without_restart(replica_set: Json) -> Any:
    whole = template(replica_set)
    said = part(whole, "metadata", "annotations")
    kept = {key: one for key, one in said.items() if key not in _RESTARTS}
    return _without_empty(whole | {"metadata": part(whole, "metadata") | {"annotations": kept}})


def _former_numbers(replica_set: Json) -> list[str]:
    return text(replica_set, "metadata", "annotations", _FORMER_NUMBERS).split(",")
