"""A watch: what happens to the objects that somebody chose, a line each, until its time is up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from sandbox.cluster.answers import Object, Refused, bad_request
from sandbox.cluster.request import Request
from sandbox.cluster.selectors import Test
from sandbox.cluster.store import Change, Store

_LONGEST_SECONDS = 1800.0


def lines(store: Store, request: Request, chosen: Test) -> Iterator[bytes]:
    """The events of a watch. One that begins too long ago is told 410, as an event, and ends."""
    seconds = float(request.query.get("timeoutSeconds") or _LONGEST_SECONDS)
    deadline = time.monotonic() + seconds
    text = request.query.get("resourceVersion") or "0"
    if not text.isdigit():
        raise bad_request(f"Invalid value: {text}: resourceVersion")
    if text == "0":  # what there is, and then what happens
        with store.at_once():
            there, version = store.list(request.resource.plural, request.namespace), store.version
        yield from (_line("ADDED", thing) for thing in there if chosen(thing))
    else:
        version = int(text)
    while True:
        try:
            changes = store.since(version)
        except Refused as refusal:
            yield _line("ERROR", refusal.status())
            return
        for change in changes:
            version = change.version
            if told := _told(change, request, chosen):
                yield _line(told, change.thing)
        left = deadline - time.monotonic()
        if left <= 0:
            return
        with store.changed:
            store.changed.wait_for(_moved_on(store, version), timeout=left)


def _moved_on(store: Store, version: int) -> Callable[[], bool]:
    return lambda: store.version != version


def _told(change: Change, request: Request, chosen: Test) -> str | None:
    """What a change is to somebody who chose some of the objects."""
    namespace = change.thing["metadata"].get("namespace", "")
    if change.plural != request.resource.plural or request.namespace not in ("", namespace):
        return None
    before, now = change.before is not None and chosen(change.before), chosen(change.thing)
    if change.what == "DELETED":
        return "DELETED" if before else None
    if now:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else None


def _line(what: str, thing: Object) -> bytes:
    return json.dumps({"type": what, "object": thing}).encode() + b"\n"
