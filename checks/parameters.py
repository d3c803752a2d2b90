"""What a runbook is told, before it looks at anything: values that say something."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST_TEXT = 1000
LARGEST_NUMBER = 2**32 - 1  # of a timeline
# The same in a deployment's schema, where Prefect's server refuses it when a run is created (and PostgreSQL takes no \x00).
# An empty text passes it, and fails by its length: that reason can be read.
TEXT_PATTERN = r"^(?:(?=[\s\S]*\S)[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+)?$(?!\n)"


def parameter_values_refusal(given: Mapping[str, Any]) -> str | None:
    """Why a value says nothing that could be meant, or None. An empty text must not turn into a wish for something else."""
    for name, value in given.items():
        odd = _odd_text(value) if isinstance(value, str) else _odd_number(value) if isinstance(value, int) else None
        if odd:
            return f"{name} {odd}"
    return None


def _odd_text(text: str) -> str | None:
    if not text.strip():
        return "is empty"
    if len(text) > LONGEST_TEXT:
        return f"has {len(text)} characters; {LONGEST_TEXT} are the most"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text if letter not in "\t\n\r"):
        return "holds a character that cannot be shown"
    return None


def _odd_number(number: int) -> str | None:
    if isinstance(number, bool) or 1 <= number <= LARGEST_NUMBER:
        return None
    return f"is not a number from 1 to {LARGEST_NUMBER}"
