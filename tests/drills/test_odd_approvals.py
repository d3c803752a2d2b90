"""Odd answers to a plan that waits: each is refused by one clear error, and nothing runs but for a right one.

With an N above 1 (make prove) they are 100, and N // 4 races; SEED says which.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fix_questions import Asked, Asking, with_settings
from tests.waiting import until

N = int(os.environ.get("N", "1"))
SEED = int(os.environ.get("SEED", "1"))
_ODD = 100 if N > 1 else 5
Machines = tuple[Asking, Asking]
Said = subprocess.CompletedProcess[str]
USAGE, REFUSED, SETTINGS = 2, 14, 11

_BAD_TEXTS = [("x" * 1001, REFUSED), ("a\nb", REFUSED), ("a\tb", REFUSED), ("\x1b[31mada", REFUSED)]
_BAD_TEXTS += [("ada\u202e", REFUSED), ("\udcff", REFUSED), ("", USAGE), ("   ", USAGE), ("\u3000", USAGE)]


def odd(asking: Asking, stale: str, dice: random.Random) -> tuple[list[str], int]:
    """An odd answer as it is typed, and the exit status that it gets."""
    plan, words = asking.waiting().plan, ["--by", "ada", "--reason", "users wait"]
    text, status = dice.choice(_BAD_TEXTS)
    other = f"{dice.getrandbits(256):064x}"
    return dice.choice(
        [
            ([asking.incident, "--by", text, "--reason", "users wait"], status),
            ([asking.incident, "--by", "ada", "--reason", text], status),
            ([asking.incident, *words, "--plan", stale], REFUSED),
            ([asking.incident, *words, "--plan", stale[:12], "--refuse"], REFUSED),
            ([asking.incident, *words, "--plan", other], REFUSED),
            ([asking.incident, *words, "--plan", plan[: dice.randrange(1, 8)]], REFUSED),
            ([asking.incident, *words, "--plan", f"{plan}0"], REFUSED),
            ([asking.incident, *words, "--plan", plan[:32] + other[:32]], REFUSED),
            ([asking.incident, *words, "--plan", dice.choice(["*", "..", "'", "%s", "[0-9a-f]" * 8])], REFUSED),
            ([dice.choice(["INC-NONE", "../x", "*", "\u00e9"]), *words], REFUSED),
            ([f"{asking.incident}-other", *words, "--plan", plan], REFUSED),
            ([asking.incident, "--by", "ada"], USAGE),
            ([*words], USAGE),
        ]
    )


def has_one_error(said: Said, status: int) -> None:
    assert said.returncode == status, (said.returncode, said.stdout, said.stderr)
    assert (said.stdout, "Traceback" in said.stderr) == ("", False), said.stderr
    assert said.stderr.count("recover: ") == (status != USAGE), said.stderr


@pytest.mark.campaign
@pytest.mark.refuses("approve INCIDENT --by --reason --plan --refuse")
def test_nothing_runs_on_an_odd_answer(machines: Machines) -> None:
    dice = random.Random(SEED)
    asking = machines[0]
    other = replace(asking, incident=f"{asking.incident}-other")
    first = other.ask()
    assert other.approve("--refuse").returncode == 0
    first.ended(17)
    before = asking.ask("--cause", "what was so before")
    stale = asking.waiting().plan
    assert asking.approve("--refuse").returncode == 0
    before.ended(17)
    asked = asking.ask("--cause", "what is so now")
    for number in range(_ODD):
        words, status = odd(asking, stale, dice)
        said = asking.recover("approve", *words)
        print(number, words[:6], status)
        has_one_error(said, status)
        assert asking.written() == []
        assert asking.waiting(asked).plan != stale
    plan = asking.waiting().plan
    assert asking.approve("--plan", plan[:12].upper()).returncode == 0
    asked.ended(0)
    assert asking.written() == [plan]


@pytest.mark.long
def test_an_approval_is_for_this_plan_and_for_a_while(machines: Machines) -> None:
    asking = with_settings(machines[0], "short", "[approval]\nvalid_minutes = 0.02")
    killed = asking.ask()
    kill(killed)
    assert asking.approve().returncode == 0
    other_plan = asking.ask("--cause", "another")
    assert asking.written() == []
    kill(other_plan)
    assert asking.approve("--refuse").returncode == 0
    requests = asking.approvals.requests()
    until(lambda: asking.approvals.granted(requests[0].plan) is None, what="the approval to expire")
    asked = asking.ask()
    assert asking.waiting().plan == requests[0].plan
    assert asking.approve("--refuse").returncode == 0
    asked.ended(17)
    assert asking.written() == []


def kill(asked: Asked) -> None:
    os.kill(asked.process.pid, signal.SIGKILL)
    asked.process.wait()


def half(place: Path, elsewhere: Path) -> None:
    elsewhere.write_text('{"plan": "ab')
    elsewhere.rename(place)


def folder(place: Path, _: Path) -> None:
    place.mkdir()


def link(place: Path, elsewhere: Path) -> None:
    elsewhere.write_text("{}")
    place.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ("damage", "ends"), [(half, True), (folder, False), pytest.param(link, False, marks=pytest.mark.long)]
)
def test_a_damaged_answer_is_no_yes(machines: Machines, damage: Callable[[Path, Path], None], ends: bool) -> None:
    asking = machines[0]
    asked = asking.ask()
    request = asking.waiting()
    place = asking.approvals.folder / f"{request.number:03d}-{request.plan}" / "answer.json"
    damage(place, asking.file.with_name("elsewhere"))
    if ends:
        assert f"refused by a damaged file: {place} is no answer of ours" in asked.ended(17)
        has_one_error(asking.approve(), REFUSED)
    else:
        said = asking.approve()
        has_one_error(said, REFUSED)
        assert f"{place} is in the answer's place and is none" in said.stderr
        place.rmdir() if place.is_dir() else place.unlink()
        assert asking.approve("--refuse").returncode == 0
        asked.ended(17)
    assert asking.written() == []


def test_a_place_where_nothing_can_be_asked(machines: Machines) -> None:
    asking = machines[0]
    asking.approvals.folder.parent.mkdir(parents=True)
    asking.approvals.folder.write_text("")
    said = asking.start().ended(SETTINGS)
    assert "approvals" in said
    assert "Traceback" not in said
    assert asking.written() == []


@pytest.mark.campaign
def test_of_answers_at_one_moment_one_counts(machines: Machines) -> None:
    asking = machines[0]
    for _ in range(max(1, N // 4)):
        one = asking.another()
        asked = one.start(terminal=True)
        asked.answer("yes or no: ", "no\n")
        asked.answer("Your name [", "Grace\n")
        until(lambda asked=asked: "Why: " in asked.shown)
        with ThreadPoolExecutor(3) as pool:
            shells = [pool.submit(one.approve, *more, by=by) for by, more in (("ada", ()), ("eve", ("--refuse",)))]
            pool.submit(asked.type, "not now\n")
            codes = sorted(shell.result().returncode for shell in shells)
        status = asked.process.wait(300)
        [event] = one.events("approval")
        assert codes == ([0, REFUSED] if event["by"] != "Grace" else [REFUSED, REFUSED])
        assert (status, len(one.written())) == ((0, 1) if event["granted"] else (17, 0)), asked.shown
