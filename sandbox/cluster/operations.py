"""What may be done to objects from outside: read, create, replace, patch, delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.cluster.answers import Object, not_found
from sandbox.cluster.defaults import check_change, completed
from sandbox.cluster.patches import patched
from sandbox.cluster.quotas import quota_refusal
from sandbox.cluster.resources import Resource
from sandbox.cluster.selectors import Test, by_fields, by_labels
from sandbox.cluster.store import Store


# Those whose deletion is answered with the object, as a real API server does; of the others with a Status.
_RETURNED = ("Namespace", "Service", "ServiceAccount", "ResourceQuota")


class Operations:
    """The verbs, on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def selected(self, resource: Resource, query: dict[str, str]) -> Test:
        """Which objects a query is about."""
        labels = by_labels(query.get("labelSelector", ""))
        fields = by_fields(resource.plural, query.get("fieldSelector", ""))
        return lambda thing: labels(thing) and fields(thing)

    def listed(self, resource: Resource, namespace: str, query: dict[str, str]) -> Object:
        """A list of objects, with the version that a watch goes on from."""
        wanted = self.selected(resource, query)
        with self.store.at_once():
            items = [thing for thing in self.store.list(resource.plural, namespace) if wanted(thing)]
            version = str(self.store.version)
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
        return {**head, "metadata": {"resourceVersion": version}, "items": items}

    def create(self, resource: Resource, namespace: str, thing: Object) -> Object:
        """Make an object."""
        new = completed(resource, thing, namespace)
        with self.store.at_once():
            if namespace and not self.store.find("namespaces", "", namespace):
                raise not_found("namespaces", namespace)
            if resource.kind == "Pod" and (refusal := quota_refusal(self.store, new)):
                raise refusal
            if resource.subresources and resource.kind != "Pod":
                new.pop("status", None)
            return self.store.create(resource.plural, new)

    def replace(self, resource: Resource, namespace: str, name: str, thing: Object, *, part: str = "") -> Object:
        """Replace an object, or only its status; the other half stays as it is."""
        with self.store.at_once():
            old = self.store.get(resource.plural, namespace, name)
            new = completed(resource, thing, namespace)
            new["metadata"]["name"] = name
            if part == "status":
                new = old | {"status": new.get("status") or {}} | {"metadata": old["metadata"] | _version_of(new)}
            else:
                if resource.subresources:
                    new.pop("status", None)
                    new |= {"status": old["status"]} if "status" in old else {}
                _keep_deletion(old, new)
                check_change(resource, old, new)
            return self.store.replace(resource.plural, new)

    def patch(
        self, resource: Resource, namespace: str, name: str, content_type: str, patch: Any, *, part: str = ""
    ) -> Object:
        """Change a part of an object."""
        with self.store.at_once():
            old = self.store.get(resource.plural, namespace, name)
            return self.replace(resource, namespace, name, patched(old, content_type, patch), part=part)

    def delete(self, resource: Resource, namespace: str, name: str, options: Object) -> Object:
        """Delete an object; a pod that has a node is given its time to end."""
        with self.store.at_once():
            thing = self.store.get(resource.plural, namespace, name)
            if resource.kind == "Pod":
                return self._delete_pod(thing, options.get("gracePeriodSeconds"))
            if options.get("propagationPolicy") == "Orphan":
                self._let_go(thing["metadata"]["uid"])
            gone = self.store.remove(resource.plural, namespace, name)
            if resource.kind in _RETURNED:
                return gone
            details = {"name": name, "kind": resource.plural, "uid": gone["metadata"]["uid"]}
            details |= {"group": resource.group} if resource.group else {}
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def delete_all(self, resource: Resource, namespace: str, query: dict[str, str], options: Object) -> Object:
        """Delete what a query finds."""
        with self.store.at_once():
            found = self.listed(resource, namespace, query)
            for thing in found["items"]:
                self.delete(resource, namespace, thing["metadata"]["name"], options)
            return found

    def _delete_pod(self, pod: Object, grace: int | None) -> Object:
        metadata, spec = pod["metadata"], pod["spec"]
        seconds = spec["terminationGracePeriodSeconds"] if grace is None else grace
        ended = pod["status"].get("phase") in ("Failed", "Succeeded")
        if not spec.get("nodeName") or ended or seconds == 0:
            return self.store.remove("pods", metadata["namespace"], metadata["name"])
        if "deletionTimestamp" not in metadata or seconds < metadata["deletionGracePeriodSeconds"]:
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            metadata["deletionTimestamp"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata["deletionGracePeriodSeconds"] = seconds
            return self.store.replace("pods", pod)
        return pod

    def _let_go(self, uid: str) -> None:
        for plural in ("replicasets", "pods"):
            for thing in self.store.list(plural):
                owners = thing["metadata"].get("ownerReferences") or []
                kept = [owner for owner in owners if owner["uid"] != uid]
                if len(kept) != len(owners):
                    thing["metadata"]["ownerReferences"] = kept
                    self.store.replace(plural, thing)


def _version_of(thing: Object) -> Object:
    version = thing["metadata"].get("resourceVersion")
    return {"resourceVersion": version} if version else {}


def _keep_deletion(old: Object, new: Object) -> None:
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        new["metadata"].pop(name, None)
        if name in old["metadata"]:
            new["metadata"][name] = old["metadata"][name]
