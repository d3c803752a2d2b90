"""The three ways to change a part of an object: JSON patch, merge patch, strategic merge patch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sandbox.cluster.answers import Object, Refused, bad_request

# By which key the elements of a list are told apart; every other list is replaced as a whole.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "conditions": "type",
    "ownerReferences": "uid",
    "secrets": "name",
}


def patched(current: Object, content_type: str, patch: Any) -> Object:
    """An object with a patch of this type; the given one stays as it is."""
    ways: dict[str, Callable[[Object, Any], Object]] = {
        "application/json-patch+json": _json_patch,
        "application/merge-patch+json": _merged,
        "application/strategic-merge-patch+json": _strategic,
    }
    way = ways.get(content_type.partition(";")[0].strip())
    if way is None:
        raise Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}")
    if (way is _json_patch) != isinstance(patch, list):
        raise bad_request("error decoding patch")
    return way(copy.deepcopy(current), patch)


def _merged(current: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result: Object = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _strategic(current: Any, patch: Object) -> Object:
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result: Object = dict(current) if isinstance(current, dict) else {}
    if isinstance(patch.get("$retainKeys"), list):
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _strategic(result.get(key), value)
        elif isinstance(value, list) and (merge_key := _merge_key(key, value)):
            result[key] = _strategic_list(result.get(key) or [], value, merge_key)
        else:
            result[key] = value
    return result


def _merge_key(name: str, value: list[Any]) -> str | None:
    if name == "ports":  # a container's by its port, a service's by its own
        return "containerPort" if any("containerPort" in one for one in value) else "port"
    return _KEYS.get(name)


def _strategic_list(current: list[Any], patch: list[Any], key: str) -> list[Any]:
    if any(one.get("$patch") == "replace" for one in patch):
        return [one for one in patch if "$patch" not in one]
    result = list(current)
    for one in patch:
        if key not in one:
            raise bad_request(f"map: {one} does not contain declared merge key: {key}")
        at = next((place for place, old in enumerate(result) if old.get(key) == one[key]), None)
        if one.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != one[key]]
        elif at is None:
            result.append(_strategic({}, one))
        else:
            result[at] = _strategic(result[at], one)
    return result


def _json_patch(current: Object, patch: list[Object]) -> Object:
    holder: Any = {"": current}
    for one in patch:
        try:
            _operate(holder, one)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            text = f"the server rejected our request due to an error in our request: {one.get('path')}"
            raise Refused(422, "Invalid", text) from error
    result: Object = holder[""]
    return result


def _operate(holder: Any, one: Object) -> None:
    operation, path = one["op"], _path(one["path"])
    if operation == "test":
        if _at(holder, path) != one["value"]:
            raise ValueError("test failed")
    elif operation == "remove":
        _remove(holder, path)
    elif operation == "replace":
        _at(holder, path)
        _put(holder, path, one["value"], insert=False)
    elif operation == "add":
        _put(holder, path, one["value"], insert=True)
    elif operation in ("move", "copy"):
        value = copy.deepcopy(_at(holder, _path(one["from"])))
        if operation == "move":
            _remove(holder, _path(one["from"]))
        _put(holder, path, value, insert=True)
    else:
        raise ValueError(operation)


def _path(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _at(holder: Any, path: list[str]) -> Any:
    for step in path:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    return holder


def _remove(holder: Any, path: list[str]) -> None:
    parent = _at(holder, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]


def _put(holder: Any, path: list[str], value: Any, *, insert: bool) -> None:
    parent, last = _at(holder, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif insert:
        if int(last) > len(parent):
            raise IndexError(last)
        parent.insert(int(last), value)
    else:
        parent[int(last)] = value
