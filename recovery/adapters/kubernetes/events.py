"""What the cluster noted of a deployment, its versions and its pods."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.fields import Json, moment, number, text
from recovery.adapters.kubernetes.resources import EVENTS
from recovery.facts import DeploymentFacts, WorkloadEvent

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_events(cluster: Cluster, deployment: DeploymentFacts) -> tuple[WorkloadEvent, ...]:
    """Those of the deployment, oldest first; also of pods of its versions that are gone by now."""
    return _in_order(one for one in cluster.find(EVENTS) if _concerns(one, deployment))


def read_pod_events(cluster: Cluster, pod: str) -> tuple[WorkloadEvent, ...]:
    """Those of one pod, oldest first."""
    wanted = f"involvedObject.kind=Pod,involvedObject.name={pod}"
    return _in_order(cluster.find(EVENTS, fieldSelector=wanted))


def _in_order(events: Iterable[Json]) -> tuple[WorkloadEvent, ...]:
    """By their moments, which are whole seconds, and then as the server wrote them."""
    read = [(_read(one), _written(one)) for one in events]
    return tuple(one for one, _ in sorted(read, key=lambda pair: (pair[0].at, pair[1])))


def _written(event: Json) -> int:
    version = text(event, "metadata", "resourceVersion")
    return int(version) if version.isascii() and version.isdigit() else 0


def _concerns(event: Json, deployment: DeploymentFacts) -> bool:
    kind, name = text(event, "involvedObject", "kind"), text(event, "involvedObject", "name")
    versions = {one.name for one in deployment.revisions}
    if kind == "Pod":
        # A version's name with a random word behind it.
        return name in {one.name for one in deployment.pods} or re.sub(r"-[a-z0-9]+$", "", name) in versions
    return (kind == "Deployment" and name == deployment.name) or (kind == "ReplicaSet" and name in versions)


def _read(event: Json) -> WorkloadEvent:
    """Old and new servers, and repeated events, write the moment and the number in different places."""
    moments = (
        moment(event, *path)
        for path in (
            ("series", "lastObservedTime"),
            ("lastTimestamp",),
            ("eventTime",),
            ("firstTimestamp",),
            ("metadata", "creationTimestamp"),
        )
    )
    return WorkloadEvent(
        at=next((one for one in moments if one), _LONG_AGO),
        warning=text(event, "type") != "Normal",
        reason=text(event, "reason"),
        about=f"{text(event, 'involvedObject', 'kind').lower()}/{text(event, 'involvedObject', 'name')}",
        message=text(event, "message"),
        count=number(event, "series", "count") or number(event, "count", default=1) or 1,
    )
