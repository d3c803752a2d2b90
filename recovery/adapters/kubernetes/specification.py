"""A deployment as the cluster keeps it, fit to be kept as evidence."""

from __future__ import annotations

import json
from typing import Any

from recovery.adapters.kubernetes.fields import Json
from recovery.redaction import MASK, redacted

# Noise of the server; and a copy of all that was applied, environment included, in one text.
_LEFT_OUT = ("managedFields",)
_COPY = "kubectl.kubernetes.io/last-applied-configuration"
# Lists of names with values: what stands there may be a secret, whatever it is called.
_NAMED_VALUES = ("env", "httpHeaders")


def masked_specification(deployment: Json) -> str:
    """As JSON, with its names, and without the values that may hold secrets."""
    return json.dumps(redacted(_masked(deployment)), indent=2, ensure_ascii=False) + "\n"


def _masked(thing: Any, key: str = "") -> Any:
    if isinstance(thing, list):
        return [_without_value(one) if key in _NAMED_VALUES else _masked(one) for one in thing]
    if not isinstance(thing, dict):
        return MASK if key == _COPY else thing
    return {name: _masked(one, name) for name, one in thing.items() if name not in _LEFT_OUT}


def _without_value(one: Any) -> Any:
    """Where a value comes from is kept: it names an object, and is none."""
    return one | {"value": MASK} if isinstance(one, dict) and "value" in one else one
