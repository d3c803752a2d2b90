"""Label selectors: as a text that the API takes, and whether one finds an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recovery.adapters.kubernetes.fields import Json, items, part, text


def as_text(selector: Json) -> str:
    """`app=clickview,tier in (a,b),!old`: as kubectl shows it and the API takes it."""
    exact = [f"{key}={wanted}" for key, wanted in sorted(part(selector, "matchLabels").items())]
    return ",".join([*exact, *(_spoken(one) for one in items(selector, "matchExpressions"))])


def finds(selector: Json, labels: Mapping[str, Any]) -> bool:
    """Whether it finds an object with these labels."""
    exact = all(labels.get(key) == wanted for key, wanted in part(selector, "matchLabels").items())
    return exact and all(_holds(one, labels) for one in items(selector, "matchExpressions"))


def _spoken(expression: Json) -> str:
    key, operator = text(expression, "key"), expression.get("operator")
    if operator in ("Exists", "DoesNotExist"):
        return key if operator == "Exists" else f"!{key}"
    return f"{key} {'in' if operator == 'In' else 'notin'} ({','.join(_values(expression))})"


def _holds(expression: Json, labels: Mapping[str, Any]) -> bool:
    """Ref.: Kubernetes, Labels and Selectors: NotIn also finds what has no such label."""
    key, operator = text(expression, "key"), expression.get("operator")
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) is (operator == "Exists")
    return (labels.get(key) in _values(expression)) is (operator == "In")


def _values(expression: Json) -> list[str]:
    return [str(one) for one in expression.get("values") or ()]
