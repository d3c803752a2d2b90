"""A plan waits for a person: from another shell, at a real terminal, by mode and time; no server."""

from __future__ import annotations

import getpass
import os
import signal

import pytest

from tests.fix_questions import Asking, with_settings
from tests.waiting import until

HURRIED = "[approval]\nwait_minutes = 0.05"


@pytest.mark.works("approve INCIDENT --by --reason")
def test_from_another_shell(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.ask()
    plan = asking.waiting().plan
    said = asking.approve(by="Ada Lovelace", reason="users wait")
    assert (said.returncode, said.stdout) == (
        0,
        f"Approved: plan {plan[:12]} (roll_back), by Ada Lovelace.\n",
    ), said.stderr
    asked.ended(0)
    assert asking.written() == [plan]
    [event] = asking.events("approval")
    expected = {"by": "Ada Lovelace", "digest": plan, "granted": True, "reason": "users wait", "way": "recover approve"}
    assert event.items() >= (expected | {"user": getpass.getuser()}).items()
    assert {one.value for one in asking.record().moments} >= {"acknowledged", "decided"}


@pytest.mark.works("approve --refuse --plan --json")
def test_a_refusal_from_another_shell(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.ask()
    plan = asking.waiting().plan
    assert asking.approve("--refuse", "--plan", plan[:8], "--json").returncode == 0
    assert f"plan {plan[:12]} was refused by ada: users wait" in asked.ended(17)
    assert asking.written() == []
    assert [one["granted"] for one in asking.events("approval")] == [False]
    late = asking.approve()
    assert (late.returncode, asking.written()) == (14, [])


def test_at_the_terminal(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.start(terminal=True)
    asked.type("yes\nnobody\nhas seen the plan\n")  # typed ahead: it is no answer to what is not shown yet
    asked.answer("Carry this plan out? yes or no: ", "perhaps\n")
    asked.answer("Carry this plan out? yes or no: ", "yes\n")
    asked.answer("Your name [", "\n")
    asked.answer("Why: ", "\n")
    asked.answer("Why: ", "users wait\n")
    asked.ended(0)
    [event] = asking.events("approval")
    me = getpass.getuser()
    assert event.items() >= {"by": me, "user": me, "reason": "users wait", "way": "terminal"}.items()
    assert len(asking.written()) == 1


@pytest.mark.long
def test_a_refusal_at_the_terminal(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.start(terminal=True)
    asked.answer("yes or no: ", "n\n")
    asked.answer("Your name [", "Grace\n")
    asked.answer("Why: ", "not now\n")
    assert "was refused by Grace: not now" in asked.ended(17)
    assert asking.written() == []


@pytest.mark.long
def test_somebody_at_another_shell_is_faster_than_the_terminal(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.start(terminal=True)
    asked.answer("yes or no: ", "no\n")
    asked.answer("Your name [", "Grace\n")
    assert asking.approve().returncode == 0
    assert "answered by ada (recover approve)" in asked.ended(0)
    assert len(asking.written()) == 1


@pytest.mark.long
def test_a_name_that_is_none_is_asked_again(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.start(terminal=True)
    for by, why in (("a\tb", "users wait"), ("Grace", "x" * 1001)):
        asked.answer("yes or no: ", "yes\n")
        asked.answer("Your name [", f"{by}\n")
        asked.answer("Why: ", f"{why}\n")
        until(lambda: "must be one line of 1 to 1000 characters" in asked.shown, what=lambda: asked.shown)
    asked.answer("yes or no: ", "no\n")
    asked.answer("Your name [", "Grace\n")
    asked.answer("Why: ", "not now\n")
    asked.ended(17)
    assert asking.written() == []


def test_ctrl_c_at_the_question_leaves_nothing_to_approve(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.start(terminal=True)
    asked.answer("yes or no: ", "\x03")
    asked.ended(18)
    assert asking.approvals.waiting() == []
    late = asking.approve()
    assert late.returncode == 14
    assert "nothing waits for an approval" in late.stderr
    assert asking.written() == []


@pytest.mark.long
def test_a_closed_terminal_leaves_the_other_ways(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.start(terminal=True)
    until(lambda: "yes or no: " in asked.shown, what=lambda: asked.shown)
    asked.process.send_signal(signal.SIGHUP)
    assert asked.terminal is not None
    asked.type("\x04")
    assert asking.approve().returncode == 0
    assert asked.process.wait(300) == 0
    assert len(asking.written()) == 1


def test_nobody_answers_in_time(machines: tuple[Asking, Asking]) -> None:
    asking = with_settings(machines[0], "hurried", HURRIED)
    said = asking.start().ended(17)
    assert "nobody answered for plan " in said
    assert asking.written() == []
    late = asking.approve()
    assert (late.returncode, asking.written()) == (14, []), late.stdout
    assert len(asking.events("approval unanswered")) == 1


def test_who_asks_nobody_gets_no_yes(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    said = asking.start("--mode", "auto").ended(17)
    assert "roll_back: [approval.policy] wants a person, and --mode=auto asks none" in said
    assert (asking.written(), asking.approvals.requests()) == ([], [])


@pytest.mark.long
def test_a_run_that_was_killed_goes_on_with_the_answer_that_came_meanwhile(machines: tuple[Asking, Asking]) -> None:
    asking = machines[0]
    asked = asking.ask()
    os.kill(asked.process.pid, signal.SIGKILL)
    asked.process.wait()
    assert asking.approve().returncode == 0
    assert asking.written() == []
    asking.start().ended(0)
    assert len(asking.written()) == 1
    assert [one["by"] for one in asking.events("approval")] == ["ada"]
    asking.start("--cause", "another cause", "--mode", "auto").ended(17)
    assert len(asking.written()) == 1
