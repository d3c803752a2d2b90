"""Whoever answers first has answered; nothing runs on another plan, a late word, or no word."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.approval import Approvals
from recovery.errors import GateRefused, SettingsInvalid
from recovery.facts.approval import Answer, Request
from recovery.facts.plan import Option, Plan, PlanFact, PlannedAction

PLAN = "ab" * 32
OTHER = "cd" * 32
HOUR = timedelta(hours=1)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def approvals(tmp_path: Path) -> Approvals:
    (tmp_path / "INC-1").mkdir()
    return Approvals(tmp_path / "INC-1" / "approvals")


def answer(approvals: Approvals, plan: str = PLAN, **other: Any) -> Answer:
    given: dict[str, Any] = {
        "granted": True,
        "by": "ada",
        "reason": "users wait",
        "user": "root",
        "way": "command",
        "valid": HOUR,
    }
    return approvals.answer(plan, **(given | other))


def test_what_is_approved_is_this_plan_and_no_other(approvals: Approvals) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)
    said = answer(approvals, PLAN[:8])
    assert approvals.granted(PLAN) == said
    assert (said.by, said.reason, said.way) == ("ada", "users wait", "command")
    assert approvals.granted(OTHER) is None
    assert approvals.waiting() == []


def test_a_refusal_is_an_answer_too(approvals: Approvals) -> None:
    asked = approvals.ask(PLAN, "roll back", wait=HOUR)
    answer(approvals, granted=False)
    said = approvals.answer_of(asked)
    assert said is not None
    assert not said.granted
    assert approvals.granted(PLAN) is None


def test_of_many_at_once_one_wins(approvals: Approvals) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)

    def one(number: int) -> Answer | GateRefused:
        try:
            return answer(approvals, by=f"person {number}", granted=number % 2 == 0)
        except GateRefused as refused:
            return refused

    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(one, range(60)))
    [winner] = [one for one in said if isinstance(one, Answer)]
    word = "approved" if winner.granted else "refused"
    lost = [one.problem for one in said if isinstance(one, GateRefused)]
    assert len(lost) == 59
    assert all(one.startswith(f"plan {PLAN[:12]} was {word} by {winner.by} at ") for one in lost)


@pytest.mark.parametrize(
    ("plan", "other", "problem"),
    [
        (OTHER, {}, "no plan 'cdcd"),
        (PLAN[:7], {}, "no plan 'abababa' was asked here; what waits: abababababab"),
        ("", {}, "no plan ''"),
        (PLAN, {"by": " "}, "--by must be one line"),
        (PLAN, {"reason": ""}, "--reason must be one line"),
        (PLAN, {"reason": "a\nb"}, "--reason must be one line"),
        (PLAN, {"reason": "x" * 1001}, "--reason must be one line"),
    ],
)
def test_what_is_no_answer_is_refused(approvals: Approvals, plan: str, other: dict[str, Any], problem: str) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)
    with pytest.raises(GateRefused) as refused:
        answer(approvals, plan, **other)
    assert refused.value.problem.startswith(problem)
    assert approvals.granted(PLAN) is None
    assert len(approvals.waiting()) == 1


def test_too_late_is_too_late_and_is_asked_anew(approvals: Approvals) -> None:
    approvals.ask(PLAN, "roll back", wait=timedelta(0))
    with pytest.raises(GateRefused, match="too late"):
        answer(approvals)
    assert approvals.ask(PLAN, "roll back", wait=HOUR).number == 2
    assert answer(approvals).granted


def test_an_approval_does_not_hold_for_ever(approvals: Approvals) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)
    answer(approvals, valid=timedelta(0))
    assert approvals.granted(PLAN) is None
    assert approvals.ask(PLAN, "roll back", wait=HOUR).number == 2


def test_who_asks_again_waits_its_whole_time_and_for_one_answer(approvals: Approvals) -> None:
    """The run was killed while it waited."""
    approvals.ask(PLAN, "roll back", wait=timedelta(minutes=1))
    again = approvals.ask(PLAN, "roll back", wait=HOUR)
    assert approvals.waiting() == [again]
    assert again.until > datetime.now(UTC) + HOUR / 2
    (approvals.folder / f"003-{OTHER}").mkdir()  # killed just before it asked
    other = approvals.ask(OTHER, "scale up", wait=HOUR)
    assert (other.number, approvals.waiting()) == (4, [other])
    with pytest.raises(GateRefused, match="was refused by the run that asked"):
        answer(approvals)
    assert answer(approvals, OTHER).granted


def test_an_answer_that_comes_while_it_is_asked_again_counts(
    approvals: Approvals, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = approvals.ask(PLAN, "roll back", wait=HOUR)
    withdraw = Approvals.withdraw

    def answered_first(self: Approvals, request: Request) -> Answer | None:
        answer(self)
        return withdraw(self, request)

    monkeypatch.setattr(Approvals, "withdraw", answered_first)
    assert approvals.ask(PLAN, "roll back", wait=HOUR) == first
    said = approvals.answer_of(first)
    assert said is not None
    assert said.by == "ada"


def plan() -> Plan:
    step = PlannedAction("roll_back", "clickview-backend back to image 2.2.9", policy="approve")
    option = Option("roll back", "Roll back", (step,), timedelta(minutes=2), timedelta(0), "measured here")
    facts = (PlanFact("cause", "the new image crashes", decisive=True), PlanFact("pods", "1 of 3 answers"))
    return Plan("application-failure", "clickview", "INC-1", "SEV-2", NOON, facts, (option,))


def test_a_plan_is_the_same_while_it_does_the_same_for_the_same_reason() -> None:
    known = plan()
    later = replace(known, made_at=NOON + HOUR, facts=(known.facts[0], PlanFact("pods", "2 of 3 answer")))
    slower = replace(known, options=(replace(known.options[0], expected_recovery=HOUR),))
    other_way = Option("scale", "Scale up", (), HOUR, timedelta(0), "a guess").without("there is room")
    assert {known.digest, later.digest, slower.digest} == {replace(known, options=(*known.options, other_way)).digest}


def with_step(**other: Any) -> Plan:
    option = plan().options[0]
    return replace(plan(), options=(replace(option, actions=(replace(option.actions[0], **other),)),))


def test_the_order_in_which_ways_are_tried_decides() -> None:
    one, two = plan().options[0], replace(plan().options[0], name="restart")
    assert replace(plan(), options=(one, two)).digest != replace(plan(), options=(two, one)).digest


@pytest.mark.parametrize(
    "other",
    [
        replace(plan(), incident="INC-2"),
        replace(plan(), severity="SEV-1"),
        replace(plan(), facts=(PlanFact("cause", "a node is gone", decisive=True),)),
        replace(plan(), options=(plan().options[0].without("never, by policy"),)),
        replace(plan(), options=(replace(plan().options[0], expected_loss=HOUR),)),
        replace(plan(), options=(replace(plan().options[0], actions=(PlannedAction("roll_back", "to 2.2.8"),)),)),
        with_step(value=7),
        with_step(irreversible=True),
        replace(plan(), site="another"),
        replace(plan(), scenario="database-failure"),
        replace(plan(), options=(*plan().options, replace(plan().options[0], name="restart"))),
    ],
)
def test_another_plan_needs_another_approval(other: Plan) -> None:
    assert other.digest != plan().digest


def test_what_nobody_waits_for_any_more_is_not_approved(approvals: Approvals) -> None:
    request = approvals.ask(PLAN, "roll back", wait=HOUR)
    assert approvals.withdraw(request) is None
    with pytest.raises(GateRefused, match=r"was refused by the run that asked at .* \(withdrawn\)"):
        answer(approvals)
    assert approvals.granted(PLAN) is None
    assert approvals.ask(PLAN, "roll back", wait=HOUR).number == 2


def test_who_answered_before_it_was_withdrawn_has_answered(approvals: Approvals) -> None:
    request = approvals.ask(PLAN, "roll back", wait=HOUR)
    said = answer(approvals)
    assert approvals.withdraw(request) == said
    assert approvals.granted(PLAN) == said


def damaged_answers() -> dict[str, str]:
    good = {"plan": PLAN, "granted": True, "by": "a", "reason": "b", "user": "c", "way": "d"}
    good |= {"at": NOON.isoformat(), "valid_until": "2099-01-01T00:00:00+00:00"}
    return {
        "half": json.dumps(good)[:-5],
        "empty": "",
        "a list": "[]",
        "deep": "[" * 100_000,
        "another plan's": json.dumps(good | {"plan": OTHER}),
        "granted in words": json.dumps(good | {"granted": "false"}),
        "without a zone": json.dumps(good | {"valid_until": "2099-01-01T00:00:00"}),
        "more than we write": json.dumps(good | {"more": 1}),
        "less": json.dumps({"plan": PLAN, "granted": True}),
    }


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in damaged_answers().items()])
def test_a_damaged_answer_is_a_no(approvals: Approvals, text: str) -> None:
    request = approvals.ask(PLAN, "roll back", wait=HOUR)
    (approvals.folder / f"001-{PLAN}" / "answer.json").write_text(text)
    said = approvals.answer_of(request)
    assert said is not None
    assert (said.granted, said.by) == (False, "a damaged file")
    assert approvals.granted(PLAN) is None
    with pytest.raises(GateRefused, match="was refused by a damaged file"):
        answer(approvals)
    assert approvals.ask(PLAN, "roll back", wait=HOUR).number == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"number": 1}', '{"number": 2, "plan": "x"}'])
def test_a_damaged_question_is_none(approvals: Approvals, text: str) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)
    (approvals.folder / f"001-{PLAN}" / "asked.json").write_text(text)
    assert approvals.requests() == []
    with pytest.raises(GateRefused, match="what waits: nothing"):
        answer(approvals)
    assert approvals.ask(PLAN, "roll back", wait=HOUR).number == 2


def test_a_question_copied_from_elsewhere_is_none(approvals: Approvals) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)
    shutil.copytree(approvals.folder / f"001-{PLAN}", approvals.folder / f"002-{OTHER}")
    assert [one.plan for one in approvals.requests()] == [PLAN]


def test_a_hash_that_begins_two_plans_names_none(approvals: Approvals) -> None:
    for end in ("0", "1"):
        approvals.ask(PLAN[:-1] + end, "roll back", wait=HOUR)
    with pytest.raises(GateRefused, match="no plan 'abababababab' was asked here; what waits: abab"):
        answer(approvals, PLAN[:12])


def test_a_full_disk_is_one_clear_error(approvals: Approvals, monkeypatch: pytest.MonkeyPatch) -> None:
    approvals.ask(PLAN, "roll back", wait=HOUR)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recovery.approval.make_ours", full)
    with pytest.raises(SettingsInvalid, match="cannot be written: No space left on device"):
        answer(approvals)
    with pytest.raises(SettingsInvalid, match="cannot be written: No space left on device"):
        approvals.ask(OTHER, "roll back", wait=HOUR)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_asks_and_answers_through_no_link_of_another(tmp_path: Path) -> None:
    folder, theirs = tmp_path / "INC-2", tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 4711, 4712)
    approvals = Approvals(folder / "approvals")
    asked = approvals.ask(PLAN, "roll back", wait=HOUR)
    answer(approvals)
    everything = [folder, *folder.rglob("*")]
    assert {(one.lstat().st_uid, one.lstat().st_gid) for one in everything} == {(4711, 4712)}
    assert len(everything) == 5

    theirs.mkdir()
    (folder / "approvals").rename(tmp_path / "away")
    (folder / "approvals").symlink_to(theirs)
    for touch in (
        lambda: approvals.ask(OTHER, "scale up", wait=HOUR),
        lambda: approvals.answer_of(asked),
        lambda: answer(approvals),
    ):
        with pytest.raises(SettingsInvalid, match="root goes through none"):
            touch()
    assert list(theirs.iterdir()) == []


def test_an_answer_that_is_only_a_link_is_none(approvals: Approvals, tmp_path: Path) -> None:
    asked = approvals.ask(PLAN, "roll back", wait=HOUR)
    answer(approvals)
    [given] = (tmp_path / "INC-1").rglob("answer.json")
    given.rename(tmp_path / "elsewhere.json")
    given.symlink_to(tmp_path / "elsewhere.json")
    assert approvals.answer_of(asked) is None
    assert approvals.granted(PLAN) is None
    with pytest.raises(GateRefused, match=r"answer\.json is in the answer's place and is none"):
        answer(approvals)
