"""The size of a deployment: moved, with what stands in the way, and put back.

What was is noted on the deployment before anything is moved: whoever comes later, from whichever machine, can put it back.
"""

from __future__ import annotations

from collections.abc import Mapping

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.deployments import Deployments
from recovery.adapters.kubernetes.family import wanted_size
from recovery.adapters.kubernetes.fields import Json, name_of
from recovery.adapters.kubernetes.notes import (
    SCALED_AUTOSCALER,
    SCALED_FROM,
    moved_note,
    noted_limits,
    noted_size,
    spoken_limits,
)
from recovery.adapters.kubernetes.resources import AUTOSCALERS, DEPLOYMENTS, SCALES
from recovery.errors import GateRefused, SettingsInvalid, VerificationFailed
from recovery.facts import AutoscalerFacts


def scale(cluster: Cluster, name: str, replicas: int) -> None:
    """Have another number of pods; an autoscaler whose limits would undo that gets wider ones."""
    deployments = Deployments(cluster)
    deployment, autoscaler = deployments.get(name), deployments.autoscaler(name)
    limits = _limits_for(replicas, autoscaler)
    if wanted_size(deployment) == replicas and limits is None:
        return
    _note(cluster, deployment, replicas, autoscaler, limits)
    try:
        if autoscaler and limits:
            _set_limits(cluster, autoscaler.name, limits)
        _set_size(cluster, name, replicas)
    except (GateRefused, SettingsInvalid) as error:  # both say that nothing was changed
        raise VerificationFailed(error.problem, "put back what was moved: recover application scale-back") from error


def scale_back(cluster: Cluster, name: str) -> int | None:
    """Put back what `scale` noted, and forget the note last: what was cut off in between is done again."""
    deployments = Deployments(cluster)
    deployment = deployments.get(name)
    size, limits = noted_size(deployment), noted_limits(deployment)
    if size is None and limits is None:
        return None
    autoscaler = deployments.autoscaler(name) if limits else None
    if autoscaler and limits and (autoscaler.minimum, autoscaler.maximum) != limits:
        _set_limits(cluster, autoscaler.name, limits)
    if size is not None and wanted_size(deployment) != size:
        _set_size(cluster, name, size)
    _annotate(cluster, name, {SCALED_FROM: None, SCALED_AUTOSCALER: None})
    return wanted_size(deployment) if size is None else size


def _limits_for(replicas: int, autoscaler: AutoscalerFacts | None) -> tuple[int, int] | None:
    """The limits that keep it at this size; None when those that it has do.

    A minimum below it would have the autoscaler go back to its own size at its next look.

    To none at all the autoscaler has nothing to say: it rests until there is a pod again.
    """
    if autoscaler is None or replicas == 0:
        return None
    limits = replicas, max(autoscaler.maximum, replicas)
    return None if limits == (autoscaler.minimum, autoscaler.maximum) else limits


def _note(
    cluster: Cluster,
    deployment: Json,
    replicas: int,
    autoscaler: AutoscalerFacts | None,
    limits: tuple[int, int] | None,
) -> None:
    """Note what is now and what is made of it, after what a former scale noted."""
    notes = {SCALED_FROM: moved_note(deployment, SCALED_FROM, str(wanted_size(deployment)), str(replicas))}
    if autoscaler and limits:
        now, to = spoken_limits(autoscaler.minimum, autoscaler.maximum), spoken_limits(*limits)
        notes[SCALED_AUTOSCALER] = moved_note(deployment, SCALED_AUTOSCALER, now, to)
    _annotate(cluster, name_of(deployment), notes)


def _annotate(cluster: Cluster, name: str, notes: Mapping[str, str | None]) -> None:
    cluster.patch(DEPLOYMENTS, name, {"metadata": {"annotations": notes}})


def _set_limits(cluster: Cluster, name: str, limits: tuple[int, int]) -> None:
    cluster.patch(AUTOSCALERS, name, {"spec": {"minReplicas": limits[0], "maxReplicas": limits[1]}})


def _set_size(cluster: Cluster, name: str, replicas: int) -> None:
    cluster.patch(SCALES, name, {"spec": {"replicas": replicas}})
