"""What an object gets when nobody says it, and what is refused: the part of it that a recovery can meet."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Any

from sandbox.cluster.answers import Object, bad_request, invalid
from sandbox.cluster.resources import Resource
from sandbox.cluster.selectors import by_specification

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def random_end(length: int = 5) -> str:
    """The end of a generated name."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def completed(resource: Resource, thing: Object, namespace: str) -> Object:
    """An object that came from outside, with kind, namespace, name and defaults.

    Raises: Refused with 400 or 422.
    """
    if not isinstance(thing, dict) or not isinstance(thing.setdefault("metadata", {}), dict):
        raise bad_request("the object provided is unrecognized (must be of type object)")
    if thing.get("kind", resource.kind) != resource.kind:
        raise bad_request(f"the object provided is a {thing['kind']}, expected {resource.kind}")
    thing |= {"kind": resource.kind, "apiVersion": resource.api_version}
    metadata = thing["metadata"]
    if resource.namespaced:
        if metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    else:
        metadata.pop("namespace", None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + random_end()
    name = metadata.get("name") or ""
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise invalid(resource.kind, name, "metadata.name", "a lowercase RFC 1123 subdomain must consist of lower case")
    fill = {"Deployment": _deployment, "ReplicaSet": _replicaset, "Pod": _pod, "HorizontalPodAutoscaler": _autoscaler}
    fill |= {"Secret": _secret, "ConfigMap": _configmap, "PodDisruptionBudget": _budget}
    if resource.kind in fill:
        fill[resource.kind](thing, name)
    return thing


def check_change(resource: Resource, old: Object, new: Object) -> None:
    """Raises: Refused with 422 when something that stands for ever would change."""
    name = old["metadata"]["name"]
    if resource.kind in ("Deployment", "ReplicaSet") and old["spec"]["selector"] != new["spec"]["selector"]:
        raise invalid(resource.kind, name, "spec.selector", "field is immutable")
    changed = old.get("data") != new.get("data") or not new.get("immutable")
    if resource.kind in ("Secret", "ConfigMap") and old.get("immutable") and changed:
        raise invalid(resource.kind, name, "data", "field is immutable when `immutable` is set")
    if resource.kind == "Pod" and _but_images(old) != _but_images(new):
        raise invalid("Pod", name, "spec", "Forbidden: pod updates may not change fields other than the images")


def _deployment(thing: Object, name: str) -> None:
    spec = _workload("Deployment", thing, name)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
        if {str(rolling["maxSurge"]).rstrip("%"), str(rolling["maxUnavailable"]).rstrip("%")} == {"0"}:
            field = "spec.strategy.rollingUpdate.maxUnavailable"
            raise invalid("Deployment", name, field, "may not be 0 when `maxSurge` is 0")
    elif strategy.get("rollingUpdate"):
        why = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        raise invalid("Deployment", name, "spec.strategy.rollingUpdate", why)


def _replicaset(thing: Object, name: str) -> None:
    _workload("ReplicaSet", thing, name)


def _workload(kind: str, thing: Object, name: str) -> Object:
    spec: Object = thing.setdefault("spec", {})
    replicas = spec.setdefault("replicas", 1)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(f'{kind} in version "v1" cannot be handled: replicas must be an integer')
    if replicas < 0:
        raise invalid(kind, name, "spec.replicas", "must be greater than or equal to 0")
    if not spec.get("selector"):
        raise invalid(kind, name, "spec.selector", "Required value")
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    if not by_specification(spec["selector"])(template):
        raise invalid(kind, name, "spec.template.metadata.labels", "`selector` does not match template `labels`")
    _pod_spec(kind, template, name, "spec.template.spec")
    return spec


def _pod(thing: Object, name: str) -> None:
    _pod_spec("Pod", thing, name, "spec")
    thing.setdefault("status", {"phase": "Pending"})


def _pod_spec(kind: str, holder: Object, name: str, field: str) -> None:
    spec: Object = holder.setdefault("spec", {})
    if not spec.get("containers"):
        raise invalid(kind, name, f"{field}.containers", "Required value")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    for place, container in enumerate(spec["containers"]):
        for key in ("name", "image"):
            if not container.get(key):
                raise invalid(kind, name, f"{field}.containers[{place}].{key}", "Required value")
        container.setdefault("resources", {})
        for probe in ("livenessProbe", "readinessProbe"):
            if container.get(probe):
                container[probe] = _PROBE | container[probe]


def _autoscaler(thing: Object, name: str) -> None:
    spec = thing.setdefault("spec", {})
    least, most = spec.setdefault("minReplicas", 1), spec.get("maxReplicas", 0)
    if most < 1:
        raise invalid("HorizontalPodAutoscaler", name, "spec.maxReplicas", "must be greater than 0")
    if least > most:
        why = "must be greater than or equal to `minReplicas`"
        raise invalid("HorizontalPodAutoscaler", name, "spec.maxReplicas", why)


def _budget(thing: Object, name: str) -> None:
    spec = thing.setdefault("spec", {})
    if "minAvailable" in spec and "maxUnavailable" in spec:
        raise invalid("PodDisruptionBudget", name, "spec", "minAvailable and maxUnavailable cannot be both set")


def _secret(thing: Object, name: str) -> None:
    thing.setdefault("type", "Opaque")
    for key, text in (thing.pop("stringData", None) or {}).items():
        thing.setdefault("data", {})[key] = base64.b64encode(str(text).encode()).decode()
    for key, value in (thing.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise bad_request(f'Secret in version "v1" cannot be handled: data.{key} is not base64') from error


def _configmap(thing: Object, name: str) -> None:
    for key, value in (thing.get("data") or {}).items():
        if not isinstance(value, str):
            raise bad_request(f'ConfigMap in version "v1" cannot be handled: data.{key} is not a string')


def _but_images(pod: Object) -> Any:
    spec = dict(pod["spec"])
    return spec | {"containers": [{**one, "image": ""} for one in spec["containers"]]}
