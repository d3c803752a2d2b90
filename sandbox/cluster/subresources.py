"""What hangs on an object: its scale, a pod's log, its eviction, and what one may do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.cluster.answers import Object, Refused, bad_request, no_such_path
from sandbox.cluster.operations import Operations
from sandbox.cluster.patches import patched
from sandbox.cluster.places import log_file
from sandbox.cluster.rbac import Asked, User, is_allowed
from sandbox.cluster.resources import RESOURCES, Resource
from sandbox.cluster.store import Store


def scale_of(thing: Object) -> Object:
    """The size of a deployment, as an object of its own."""
    metadata = {
        key: thing["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    labels: Object = (thing["spec"]["selector"]).get("matchLabels") or {}
    status = {"replicas": (thing.get("status") or {}).get("replicas", 0)}
    status["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    spec = {"replicas": thing["spec"]["replicas"]} if thing["spec"]["replicas"] else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def change_scale(
    operations: Operations, resource: Resource, thing: Object, content_type: str | None, body: Any
) -> Object:
    """Give a deployment another size: by a patch, or with a whole Scale."""
    scale = scale_of(thing)
    new = patched(scale, content_type, body) if content_type else body
    replicas = (new.get("spec") or {}).get("replicas", 0)
    changed = thing | {"spec": thing["spec"] | {"replicas": replicas}}
    wanted_version = (new.get("metadata") or {}).get("resourceVersion")
    changed["metadata"] = thing["metadata"] | ({"resourceVersion": wanted_version} if wanted_version else {})
    namespace, name = thing["metadata"]["namespace"], thing["metadata"]["name"]
    return scale_of(operations.replace(resource, namespace, name, changed))


def read_log(folder: Path, pod: Object, query: dict[str, str]) -> bytes:
    """What a pod's container wrote, of this or of the run before.

    Raises: Refused with 400 when there is none.
    """
    name, spec = pod["metadata"]["name"], pod["spec"]
    container = query.get("container") or spec["containers"][0]["name"]
    if container not in [one["name"] for one in spec["containers"]]:
        raise bad_request(f"container {container} is not valid for pod {name}")
    states = [one for one in pod["status"].get("containerStatuses") or () if one["name"] == container]
    run = states[0].get("restartCount", 0) if states else 0
    state: Object = states[0]["state"] if states else {}
    if query.get("previous") in ("true", "1"):
        if not (states and (states[0].get("lastState") or {}).get("terminated")):
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        run -= "running" in state  # while it waits for its next run, the one that crashed is the last there is
    file = log_file(folder, pod["metadata"]["uid"], run)
    if not file.exists():
        why = (state.get("waiting") or {}).get("reason", "PodInitializing")
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')
    lines = file.read_bytes().splitlines(keepends=True)
    return b"".join(_chosen(lines, query))


def _chosen(lines: list[bytes], query: dict[str, str]) -> list[bytes]:
    if "sinceSeconds" in query:
        begin = datetime.now(UTC).timestamp() - int(query["sinceSeconds"])
        lines = [line for line in lines if _written(line) is None or (_written(line) or 0) >= begin]
    if "tailLines" in query:
        count = int(query["tailLines"])
        lines = lines[-count:] if count else []
    if "limitBytes" in query:
        return [b"".join(lines)[: int(query["limitBytes"])]]
    return lines


def _written(line: bytes) -> float | None:
    try:
        return datetime.fromisoformat(line.split(b" ", 1)[0].decode()).timestamp()
    except ValueError:
        return None


def evict(operations: Operations, store: Store, pod: Object, body: Object) -> Object:
    """Delete a pod unless its disruption budget forbids it.

    Raises: Refused with 429.
    """
    from sandbox.cluster.budgets import budgets_of

    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    ended = pod["status"].get("phase") in ("Failed", "Succeeded", "Pending")
    for budget in [] if ended else budgets_of(store, pod):
        allowed = (budget.get("status") or {}).get("disruptionsAllowed", 0)
        if allowed < 1:
            title = budget["metadata"]["name"]
            status = budget.get("status") or {}
            needs = f"The disruption budget {title} needs {status.get('desiredHealthy', 0)} healthy pods"
            causes = [
                {
                    "reason": "DisruptionBudget",
                    "message": f"{needs} and has {status.get('currentHealthy', 0)} currently",
                }
            ]
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            raise Refused(429, "TooManyRequests", text, {"causes": causes, "retryAfterSeconds": 10})
        budget["status"]["disruptionsAllowed"] = allowed - 1
        store.replace("poddisruptionbudgets", budget)
    operations.delete(RESOURCES["pods"], namespace, name, body.get("deleteOptions") or {})
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def review_access(store: Store, user: User, body: Object) -> Object:
    """A SelfSubjectAccessReview: may I?"""
    asked: Object = (body.get("spec") or {}).get("resourceAttributes") or {}
    if not asked:
        raise no_such_path()
    resource = asked.get("resource", "") + (f"/{asked['subresource']}" if asked.get("subresource") else "")
    allowed = is_allowed(
        store,
        user,
        Asked(
            asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", "")
        ),
    )
    head = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
    return {**head, "spec": body["spec"], "status": {"allowed": allowed}}
