"""What the checker process is asked and what it answers: one line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Count:
    """What was counted for one expectation, and between which numbers it must lie."""

    number: int
    observed: int
    least: int
    most: int


def request_line(counts: Iterable[Count]) -> str:
    """Counts as they are sent."""
    return json.dumps([asdict(count) for count in counts])


def read_request(line: str) -> tuple[Count, ...]:
    """Counts as they were sent."""
    return tuple(Count(**fields) for fields in json.loads(line))


def answer_line(failing: Iterable[int]) -> str:
    """The numbers of the expectations that are not met, as they are sent."""
    return json.dumps(sorted(failing))


def read_answer(line: str) -> frozenset[int]:
    """The numbers of the expectations that are not met."""
    return frozenset(json.loads(line))
