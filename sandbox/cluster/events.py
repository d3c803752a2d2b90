"""What the cluster notes of its objects."""

from __future__ import annotations

from sandbox.cluster.answers import Object
from sandbox.cluster.defaults import random_end
from sandbox.cluster.store import Store, now_text

_KEPT = 400


def note(store: Store, about: Object, reason: str, message: str, *, by: str, warning: bool = False) -> None:
    """Note something of an object; the same once more only counts."""
    metadata, now = about["metadata"], now_text()
    for event in store.list("events", metadata.get("namespace", "default")):
        if (event["involvedObject"]["uid"], event["reason"], event["message"]) == (metadata["uid"], reason, message):
            event["count"], event["lastTimestamp"] = event["count"] + 1, now
            store.replace("events", event)
            return
    subject = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": metadata["name"]}
    subject |= {"namespace": metadata.get("namespace", ""), "uid": metadata["uid"]}
    subject |= {"resourceVersion": metadata["resourceVersion"]}
    event = {"kind": "Event", "apiVersion": "v1", "involvedObject": subject, "reason": reason, "message": message}
    event |= {"type": "Warning" if warning else "Normal", "source": {"component": by}, "reportingComponent": by}
    event |= {"firstTimestamp": now, "lastTimestamp": now, "count": 1, "reportingInstance": "", "eventTime": None}
    name = f"{metadata['name']}.{random_end(16)}"
    event["metadata"] = {"name": name, "namespace": metadata.get("namespace") or "default"}
    store.create("events", event)


def forget_old(store: Store) -> None:
    """Keep the newest events only."""
    if store.count("events") <= _KEPT:
        return
    events = store.list("events")
    for event in sorted(events, key=lambda one: str(one.get("lastTimestamp")))[: max(0, len(events) - _KEPT)]:
        store.remove("events", event["metadata"]["namespace"], event["metadata"]["name"])
