"""A pod as the cluster keeps it, read into facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from recovery.adapters.kubernetes.fields import (
    Json,
    condition,
    items,
    moment,
    name_of,
    number,
    part,
    text,
    uid_of,
    value,
)
from recovery.facts import ContainerFacts, PodFacts
from recovery.facts.workloads import ContainerState

_STATES: tuple[Literal["running", "terminated"], ...] = ("running", "terminated")


def read_pod(pod: Json) -> PodFacts:
    """One pod."""
    scheduled = condition(pod, "PodScheduled")
    return PodFacts(
        name=name_of(pod),
        uid=uid_of(pod),
        phase=text(pod, "status", "phase") or "Unknown",
        ready=condition(pod, "Ready").get("status") == "True",
        deleting=bool(value(pod, "metadata", "deletionTimestamp")),
        revision=_owner(pod),
        node=text(pod, "spec", "nodeName"),
        reason=text(pod, "status", "reason"),
        message=text(pod, "status", "message"),
        unschedulable=_unschedulable(scheduled),
        created_at=moment(pod, "metadata", "creationTimestamp"),
        containers=tuple(_containers(pod)),
    )


def container_names(pod: Json) -> list[str]:
    """The containers whose logs are the application's."""
    return [text(one, "name") for one in items(pod, "spec", "containers")]


def _owner(pod: Json) -> str:
    owners = items(pod, "metadata", "ownerReferences")
    return next((text(one, "name") for one in owners if one.get("controller") is True), "")


def _unschedulable(scheduled: Json) -> str:
    if scheduled.get("status") != "False":
        return ""
    return text(scheduled, "message") or text(scheduled, "reason") or "no node takes it"


def _containers(pod: Json) -> Iterator[ContainerFacts]:
    """Its containers, and before them those that prepare it for as long as they have not done so."""
    for kind in ("initContainer", "container"):
        said = {text(one, "name"): one for one in items(pod, "status", f"{kind}Statuses")}
        for wanted in items(pod, "spec", f"{kind}s"):
            name = text(wanted, "name")
            if (one := _container(name, wanted, said.get(name, {}))) and not (kind != "container" and _prepared(one)):
                yield one


def _prepared(one: ContainerFacts) -> bool:
    return one.ready or (one.state == "terminated" and one.exit_code == 0)


def _container(name: str, wanted: Json, said: Json) -> ContainerFacts:
    state: ContainerState = next((one for one in _STATES if one in part(said, "state")), "waiting")
    now, last = part(said, "state", state), part(said, "lastState", "terminated")
    return ContainerFacts(
        name=name,
        image=text(wanted, "image"),
        state=state,
        ready=said.get("ready") is True,
        restarts=number(said, "restartCount"),
        reason=text(now, "reason"),
        message=text(now, "message"),
        exit_code=number(now, "exitCode") if state == "terminated" else None,
        last_reason=text(last, "reason"),
        last_message=text(last, "message"),
        last_exit_code=number(last, "exitCode") if last else None,
        last_ended_at=moment(last, "finishedAt"),
    )
