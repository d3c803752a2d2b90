"""Values of parameters that nobody can mean."""

from __future__ import annotations

from typing import Any

import pytest

from checks.parameters import parameter_values_refusal


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("", "it is empty"),
        (" \t", "it is empty"),
        ("x" * 1001, "it has 1001 characters; 1000 are the most"),
        ("a\x00b", "it holds a character that cannot be shown"),
        ("\ud800", "it holds a character that cannot be shown"),
        (0, "it is not a number from 1 to 4294967295"),
        (-1, "it is not a number from 1 to 4294967295"),
        (2**32, "it is not a number from 1 to 4294967295"),
        ("Zürich", None),
        ("two\nlines", None),
        (1, None),
        (True, None),
        (False, None),
        (None, None),
    ],
)
def test_values(value: Any, refusal: str | None) -> None:
    assert parameter_values_refusal({"fine": "x", "it": value}) == refusal
