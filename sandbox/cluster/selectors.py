"""Which objects a selector means: by their labels, or by fields."""

from __future__ import annotations

import re
from collections.abc import Callable

from sandbox.cluster.answers import Object, bad_request

Test = Callable[[Object], bool]

_SET = re.compile(r"^(?P<key>[^\s,!=()]+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s,!=()]+)\s*(?P<how>==|=|!=)\s*(?P<value>[^\s,!=()]*)$")
_EVERYWHERE = {"metadata.name": ("metadata", "name"), "metadata.namespace": ("metadata", "namespace")}
_FIELDS = {
    "pods": {"status.phase", "spec.nodeName", "spec.restartPolicy", "status.podIP", "spec.serviceAccountName"},
    "events": {"involvedObject.name", "involvedObject.kind", "involvedObject.uid", "involvedObject.namespace"}
    | {"reason", "type", "reportingComponent"},
    "secrets": {"type"},
    "nodes": {"spec.unschedulable"},
    "replicasets": {"status.replicas"},
}


def by_labels(text: str) -> Test:
    """`app=clickview,component in (backend),!old`."""
    parts = [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    tests = [_label_test(part.strip()) for part in parts]
    return lambda thing: all(test(thing["metadata"].get("labels") or {}) for test in tests)


def by_fields(plural: str, text: str) -> Test:
    """`status.phase=Failed,metadata.name!=x`; only the fields that a real API knows."""
    tests = []
    for part in text.split(","):
        if not part.strip():
            continue
        match = _EQUAL.match(part.strip())
        if not match:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if match["key"] not in _EVERYWHERE and match["key"] not in _FIELDS.get(plural, ()):
            raise bad_request(
                f'Unable to find "{plural}" that match label selector "", field selector "{text}": '
                f"field label not supported: {match['key']}"
            )
        tests.append(_field_test(match["key"].split("."), match["value"], wanted=match["how"] != "!="))
    return lambda thing: all(test(thing) for test in tests)


def by_specification(selector: Object | None) -> Test:
    """A `matchLabels` and `matchExpressions` of an object; none selects nothing, an empty one all."""
    if selector is None:
        return lambda thing: False
    wanted: Object = selector.get("matchLabels") or {}
    expressions = [_expression_test(one) for one in selector.get("matchExpressions") or ()]

    def selected(thing: Object) -> bool:
        labels = thing["metadata"].get("labels") or {}
        return wanted.items() <= labels.items() and all(test(labels) for test in expressions)

    return selected


def _label_test(part: str) -> Test:
    if match := _SET.match(part):
        operator = "In" if match["how"] == "in" else "NotIn"
        values = [value.strip() for value in match["values"].split(",")]
        return _expression_test({"key": match["key"], "operator": operator, "values": values})
    if match := _EQUAL.match(part):
        operator = "NotIn" if match["how"] == "!=" else "In"
        return _expression_test({"key": match["key"], "operator": operator, "values": [match["value"]]})
    if not re.fullmatch(r"!?[^\s,!=()]+", part):
        raise bad_request(f"unable to parse requirement: {part}")
    operator = "DoesNotExist" if part.startswith("!") else "Exists"
    return _expression_test({"key": part.lstrip("!"), "operator": operator})


def _expression_test(one: Object) -> Test:
    key, values = one["key"], one.get("values") or []
    tests: dict[str, Test] = {
        "In": lambda labels: labels.get(key) in values,
        "NotIn": lambda labels: labels.get(key) not in values,
        "Exists": lambda labels: key in labels,
        "DoesNotExist": lambda labels: key not in labels,
    }
    return tests[one["operator"]]


def _field_test(path: list[str], value: str, *, wanted: bool) -> Test:
    def test(thing: Object) -> bool:
        found = thing
        for step in path:
            found = (found or {}).get(step, "")
        text = {True: "true", False: "false"}.get(found, str(found)) if isinstance(found, bool) else str(found)
        return (text == value) is wanted

    return test
