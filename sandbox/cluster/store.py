"""What the cluster holds, each change numbered, and kept in a file: it survives a restart."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.cluster.answers import Object, conflict, exists, expired, not_found
from sandbox.cluster.resources import RESOURCES

_REMEMBERED = 2000
_SAVE_SECONDS = 0.05
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """One line of what happened."""

    version: int
    plural: str
    what: str  # ADDED, MODIFIED, DELETED
    thing: Object
    before: Object | None = None


class Store:
    """All objects. What it gives out are copies; what it takes it copies."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.changed = threading.Condition(threading.RLock())
        self._objects: dict[_Key, Object] = {}
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED)
        self.version, self._saved = 1000, 0
        self._forgotten = self.version
        if file.exists():
            self._read()

    @property
    def is_new(self) -> bool:
        return not self._objects

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Several looks and changes, with nobody in between."""
        with self.changed:
            yield

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        """An object, or None."""
        with self.changed:
            return copy.deepcopy(self._objects.get((plural, namespace, name)))

    def get(self, plural: str, namespace: str, name: str) -> Object:
        """An object.

        Raises: Refused with 404.
        """
        found = self.find(plural, namespace, name)
        if found is None:
            raise not_found(RESOURCES[plural].full_name, name)
        return found

    def list(self, plural: str, namespace: str = "") -> list[Object]:
        """All objects of a kind, in a namespace or everywhere, by name."""
        with self.changed:
            keys = [key for key in self._objects if key[0] == plural and namespace in ("", key[1])]
            return [copy.deepcopy(self._objects[key]) for key in sorted(keys)]

    def count(self, plural: str) -> int:
        """How many objects of a kind there are."""
        with self.changed:
            return sum(key[0] == plural for key in self._objects)

    def create(self, plural: str, thing: Object) -> Object:
        """Add an object.

        Raises: Refused with 409 when there is one of its name.
        """
        with self.changed:
            key = _key(plural, thing)
            if key in self._objects:
                raise exists(RESOURCES[plural].full_name, key[2])
            new = copy.deepcopy(thing)
            new["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now_text()}
            if RESOURCES[plural].counted:
                new["metadata"]["generation"] = 1
            return self._put(key, new, None)

    def replace(self, plural: str, thing: Object) -> Object:
        """Put an object in the place of its former version; one that says the same is no change.

        Raises: Refused with 404, or 409 when the version it names is not the newest.
        """
        with self.changed:
            key = _key(plural, thing)
            old = self._objects.get(key)
            if old is None:
                raise not_found(RESOURCES[plural].full_name, key[2])
            if thing["metadata"].get("resourceVersion", old["metadata"]["resourceVersion"]) != _version(old):
                raise conflict(RESOURCES[plural].full_name, key[2])
            new = copy.deepcopy(thing)
            for name in ("uid", "creationTimestamp", "resourceVersion", "generation"):
                new["metadata"].pop(name, None)
                if name in old["metadata"]:
                    new["metadata"][name] = old["metadata"][name]
            if new == old:
                return copy.deepcopy(old)
            if RESOURCES[plural].counted and new.get("spec") != old.get("spec"):
                new["metadata"]["generation"] += 1
            return self._put(key, new, old)

    def change(self, plural: str, namespace: str, name: str, how: Callable[[Object], object]) -> Object | None:
        """Change the newest version of an object in place; None when it is gone."""
        with self.changed:
            thing = self.find(plural, namespace, name)
            if thing is None:
                return None
            how(thing)
            return self.replace(plural, thing)

    def remove(self, plural: str, namespace: str, name: str) -> Object:
        """Take an object away; its last version.

        Raises: Refused with 404.
        """
        with self.changed:
            old = self.get(plural, namespace, name)
            del self._objects[(plural, namespace, name)]
            self.version += 1
            gone = copy.deepcopy(old)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._note("DELETED", plural, gone, old)
            return gone

    def since(self, version: int) -> tuple[Change, ...]:
        """What happened after a version.

        Raises: Refused with 410 when that is forgotten.
        """
        with self.changed:
            oldest = self._changes[0].version - 1 if len(self._changes) == _REMEMBERED else self._forgotten
            if version < oldest:
                raise expired(version, oldest)
            return tuple(change for change in self._changes if change.version > version)

    def keep_saving(self) -> None:
        """Write every change down, soon after it was made; never returns."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.version != self._saved)
            threading.Event().wait(_SAVE_SECONDS)  # a rollout is many changes
            self.save()

    def save(self) -> None:
        """Write all down, whole or not at all."""
        with self.changed:
            text = json.dumps({"version": self.version, "objects": [[*key, one] for key, one in self._objects.items()]})
            saved = self.version
        beside = self._file.with_suffix(".new")
        beside.touch(mode=0o600)
        beside.write_text(text)
        beside.replace(self._file)
        with self.changed:
            self._saved = saved

    def _read(self) -> None:
        values = json.loads(self._file.read_text())
        # A margin: the last changes before a kill were seen, but not written down.
        self.version = self._forgotten = values["version"] + 1000
        self._objects = {(plural, namespace, name): one for plural, namespace, name, one in values["objects"]}

    def _put(self, key: _Key, new: Object, old: Object | None) -> Object:
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        self._objects[key] = new
        self._note("MODIFIED" if old else "ADDED", key[0], new, old)
        return copy.deepcopy(new)

    def _note(self, what: str, plural: str, thing: Object, before: Object | None) -> None:
        self._changes.append(Change(self.version, plural, what, thing, before))
        self.changed.notify_all()


def now_text() -> str:
    """This moment as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(text: str) -> float:
    """How long ago a moment of the API was."""
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()


def _key(plural: str, thing: Object) -> _Key:
    metadata = thing["metadata"]
    return plural, metadata.get("namespace", ""), metadata["name"]


def _version(thing: Object) -> str:
    return str(thing["metadata"]["resourceVersion"])
