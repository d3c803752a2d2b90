"""The last lines that a pod wrote."""

from __future__ import annotations

from recovery.adapters.kubernetes.api import Cluster
from recovery.adapters.kubernetes.pods import container_names
from recovery.adapters.kubernetes.refusals import NotThere
from recovery.adapters.kubernetes.resources import LOGS, PODS
from recovery.errors import GateRefused

_MOST_BYTES = 4 * 1024 * 1024  # one line can be as long as a disk


def read_log(cluster: Cluster, pod: str, *, lines: int, previous: bool) -> str:
    """The last lines of a pod's containers; one that has written none says so in its own words."""
    try:
        names = container_names(cluster.get(PODS, pod))
    except NotThere:
        return f"(no log: pod {pod} is gone)\n"
    logs = {name: _container_log(cluster, pod, name, lines=lines, previous=previous) for name in names}
    if len(logs) == 1:
        return next(iter(logs.values()))
    return "".join(f"--- container {name} ---\n{log}" for name, log in logs.items())


def _container_log(cluster: Cluster, pod: str, container: str, *, lines: int, previous: bool) -> str:
    asked = {"container": container, "tailLines": str(lines), "limitBytes": str(_MOST_BYTES)}
    if previous:
        asked["previous"] = "true"
    try:
        return cluster.read_text(LOGS, pod, **asked)
    except GateRefused as error:  # it waits to start, it never ran before, it is gone: what there is to say of it
        return f"(no log: {error.problem})\n"
