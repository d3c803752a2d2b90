"""The question at the terminal, through a real one: a line each, nothing typed ahead, no waiting."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recovery.cli import approval_prompt
from recovery.cli.approval_prompt import WAYS, Prompt, asking_here
from recovery.cli.plan_table import print_plan
from recovery.cli.user import who_types
from recovery.facts import Answer, Option, Plan, PlanFact, PlannedAction, Request
from tasks.plans import plan_document, plan_in_short
from tests.waiting import until

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ODD = "a | b <b>bold</b> [red]x[/red] `c` é " + "long " * 60


def plan(text: str = "the new image crashes") -> Plan:
    step = PlannedAction("roll_back", text, irreversible=True, policy="approve")
    ways = (
        Option("roll-back", text, (step,), timedelta(minutes=2), timedelta(0), text),
        Option("scale-up", "Scale up", (), timedelta(0), timedelta(0), "a guess").without(text),
    )
    return Plan("application-failure", "clickview", "INC-1", "SEV-2", NOON, (PlanFact("cause", text, True),), ways)


class Typist:
    """A person at the other end of the terminal."""

    def __init__(self, terminal: int) -> None:
        self.terminal = terminal
        self.prompt = Prompt()

    def type(self, text: str | bytes) -> None:
        os.write(self.terminal, text if isinstance(text, bytes) else text.encode())

    def heard(self, text: str | bytes) -> Answer:
        self.type(text)
        found = until(self.prompt.heard)
        assert isinstance(found, Answer)
        return found


@pytest.fixture
def typist(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typist]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r+b", buffering=0) as raw, io.TextIOWrapper(raw, write_through=True) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        monkeypatch.setattr(approval_prompt, "_is_ours_to_read", lambda: True)  # it is not this process's terminal
        yield Typist(ours)
    os.close(ours)


def request(one: Plan) -> Request:
    return Request(1, one.digest, "roll_back", NOON, NOON + timedelta(hours=1))


def opened(typist: Typist) -> Prompt:
    typist.prompt.open(plan(), request(plan()))
    return typist.prompt


def test_three_lines_are_an_answer(typist: Typist, capsys: pytest.CaptureFixture[str]) -> None:
    opened(typist)
    said = typist.heard("yes\nGrace Hopper\n  users wait  \n")
    assert (said.granted, said.by, said.reason, said.way) == (True, "Grace Hopper", "users wait", "terminal")
    assert (said.plan, said.user) == (plan().digest, who_types())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Needs a person's yes: roll_back (the new image crashes)" in shown.err


def test_what_is_no_answer_is_asked_again(typist: Typist, capsys: pytest.CaptureFixture[str]) -> None:
    opened(typist)
    assert typist.heard("\nperhaps\nNO\n\n\n \nnot now\n").granted is False
    assert capsys.readouterr().err.count("Carry this plan out?") == 3


def test_what_was_typed_before_the_plan_was_shown_is_no_answer(typist: Typist) -> None:
    typist.type("yes\nme\nquick\n")
    opened(typist)
    assert typist.prompt.heard() is None
    assert typist.heard("no\nGrace\nnot now\n").granted is False


def test_half_a_line_holds_nobody_up(typist: Typist) -> None:
    opened(typist)
    typist.type("ye")
    assert typist.prompt.heard() is None
    assert typist.heard("s\nGrace\nusers wait\n").granted is True


def test_a_closed_terminal_is_no_answer(typist: Typist) -> None:
    opened(typist)
    typist.type(b"yes\nGrace\n\x04")
    assert [typist.prompt.heard() for _ in range(5)] == [None] * 5


def test_bytes_that_are_no_text_are_no_error(typist: Typist) -> None:
    opened(typist)
    assert "\ufffd" in typist.heard(b"yes\nGr\xff\nusers wait\n").by


def test_after_a_problem_it_begins_anew(typist: Typist, capsys: pytest.CaptureFixture[str]) -> None:
    prompt = opened(typist)
    typist.heard("yes\nGrace\nx\n")
    prompt.ask_again("--reason must be longer")
    assert "--reason must be longer" in capsys.readouterr().err
    assert typist.heard("no\nGrace\nnot now\n").granted is False


def test_who_was_faster_is_said(typist: Typist, capsys: pytest.CaptureFixture[str]) -> None:
    prompt = opened(typist)
    prompt.close(Answer(plan().digest, True, "ada", "x", "root", "recover approve", NOON, NOON))
    assert "answered by ada (recover approve)" in capsys.readouterr().err
    typist.type("yes\nGrace\nusers wait\n")
    assert prompt.heard() is None


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\nGrace\nusers wait\n"))
    with asking_here():
        assert WAYS == []


def test_who_is_behind_another_program_does_not_read(typist: Typist, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel stops a program that reads its terminal from the background: the whole recovery."""
    opened(typist)
    monkeypatch.setattr(approval_prompt, "_is_ours_to_read", lambda: False)
    typist.type("yes\nGrace\nusers wait\n")
    assert typist.prompt.heard() is None
    assert termios.tcgetattr(sys.stdin)


@pytest.mark.parametrize("aside", [True, False])
def test_a_plan_with_odd_names_is_shown_whole(aside: bool, capsys: pytest.CaptureFixture[str]) -> None:
    print_plan(plan(ODD), aside=aside)
    shown = capsys.readouterr()
    text = "".join((shown.err if aside else shown.out).split())
    for word in ("a|b", "<b>bold</b>", "[red]x[/red]", "`c`"):
        assert text.count(word) >= 4, text
    assert (shown.out == "") is aside


@pytest.mark.parametrize("show", [plan_document, plan_in_short])
def test_a_document_of_it_has_no_markup_but_ours(show: Any) -> None:
    text = show(plan(ODD))
    assert "<b>" not in text
    assert " | b" not in text.replace(r"\|", "")
