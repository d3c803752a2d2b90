"""A container's environment: what its Pod says, read from ConfigMaps and Secrets when it starts, and only then."""

from __future__ import annotations

import base64
import re

from recovery.environment import our_environment
from sandbox.cluster.answers import Object
from sandbox.cluster.store import Store
from sandbox.layout import MARKER

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


class Missing(Exception):
    """A ConfigMap, a Secret or a key of one is not there."""


def variables(store: Store, pod: Object, container: Object, image: dict[str, str], mark: str) -> dict[str, str]:
    """All variables of a container; a later one wins.

    Raises: Missing, with the kubelet's words.
    """
    namespace = pod["metadata"]["namespace"]
    own = dict(image)
    for source in container.get("envFrom") or ():
        for kind in ("configMapRef", "secretRef"):
            if kind in source:
                held = _held(store, namespace, kind, source[kind])
                own |= {source.get("prefix", "") + key: value for key, value in held.items()}
    for one in container.get("env") or ():
        value = _value(store, pod, one)
        if value is not None:
            own[one["name"]] = _REFERENCE.sub(lambda found: own.get(found[1], found[0]), value)
    return our_environment(own | {MARKER: mark})


def _value(store: Store, pod: Object, one: Object) -> str | None:
    source = one.get("valueFrom")
    if not source:
        return str(one.get("value", ""))
    if "fieldRef" in source:
        found = pod
        for step in source["fieldRef"]["fieldPath"].split("."):
            found = (found or {}).get(step, "")
        return str(found)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if kind in source:
            reference = source[kind]
            held = _held(store, pod["metadata"]["namespace"], kind, reference)
            if reference["key"] in held:
                return held[reference["key"]]
            if not reference.get("optional"):
                what = "ConfigMap" if kind.startswith("configMap") else "Secret"
                place = f"{pod['metadata']['namespace']}/{reference['name']}"
                raise Missing(f"couldn't find key {reference['key']} in {what} {place}")
    return None


def _held(store: Store, namespace: str, kind: str, reference: Object) -> dict[str, str]:
    plural = "configmaps" if kind.startswith("configMap") else "secrets"
    found = store.find(plural, namespace, reference["name"])
    if found is None:
        if reference.get("optional"):
            return {}
        raise Missing(f'{plural.rstrip("s")} "{reference["name"]}" not found')
    data: dict[str, str] = found.get("data") or {}
    if plural == "secrets":
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return data
