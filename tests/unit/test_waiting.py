"""Waiting ends when it is so; what was seen last is what is told."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import pytest

from recovery.waiting import wait_until
from tests.waiting import until


def looks(*seen: object) -> Iterator[object]:
    yield from seen


def test_it_ends_at_the_first_look_that_shows_it() -> None:
    views = looks(None, 0, "here", "never asked for")
    assert wait_until(lambda: next(views), 60, pause=0) == "here"
    assert next(views) == "never asked for"


def test_what_counts_can_be_said() -> None:
    views = looks("starting", "refused", "")
    assert wait_until(lambda: next(views), 60, so=operator.not_, pause=0) == ""


def test_at_the_deadline_what_was_seen_last_is_returned_and_it_was_looked_at_least_once() -> None:
    assert wait_until(lambda: "down", 0, so=lambda said: said == "up") == "down"


def test_a_test_says_what_it_waited_for_and_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"^not so after 0 s: a later write; last seen: \[\]$"):
        until(list, what="a later write", seconds=0)


def test_a_look_that_could_not_be_taken_is_taken_again() -> None:
    answers = iter([ConnectionRefusedError("not yet"), "there"])

    def look() -> str:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    assert until(look) == "there"


def test_a_fault_of_the_test_is_not_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 / 0)
