"""A plan waits for a person in the Prefect server: the form in the browser, the API, a cancellation, a server that dies.

SCREENSHOTS=folder keeps the picture of docs/approval.md.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.lease import lease_holder
from tests.fix_prefect import FINAL, LINK, Served
from tests.fix_questions import Asking
from tests.waiting import until

N = int(os.environ.get("N", "1"))
YES = {"decision": "approve", "by": "Ada Lovelace", "reason": "users wait"}
NO = YES | {"decision": "refuse", "reason": "not now"}


@dataclass
class Waiting:
    """A run of the server that waits for a yes."""

    served: Served
    asking: Asking
    run_id: str

    def paused(self, known: str = "") -> str:
        """The run's state once it has a form, another one than that which is known."""
        state: dict[str, Any] = {}

        def seen() -> bool:
            state.update(self.served.run(self.run_id)["state"])
            return state["type"] in FINAL or (
                state["type"] == "PAUSED" and state["state_details"]["pause_key"] != known
            )

        until(seen, what=lambda: f"{state} {self.served.logs(self.run_id)}")
        assert state["type"] == "PAUSED", (state, self.served.logs(self.run_id))
        return str(state["state_details"]["pause_key"])

    def resume(self, said: dict[str, Any] | None) -> tuple[str, str]:
        """Answer by the API: whether it was taken, and why not."""
        body = None if said is None else {"run_input": said}
        told = self.served.ask("POST", f"/flow_runs/{self.run_id}/resume", body)
        return told["status"], (told["details"] or {}).get("reason") or ""

    def set_state(self, kind: str) -> str:
        state = {"state": {"type": kind}, "force": kind == "RUNNING"}
        return str(self.served.ask("POST", f"/flow_runs/{self.run_id}/set_state", state)["status"])

    def ended(self, state: str, *, lines: int) -> str:
        """What its state says, once it has ended in this one and has written so many lines."""
        run = self.served.wait(self.run_id)
        assert run["state_type"] == state, (run["state"], self.served.logs(self.run_id))
        assert len(self.asking.written()) == lines, self.served.logs(self.run_id)
        return str(run["state"]["message"])


@pytest.fixture
def wait(served: Served, asking: Asking) -> Callable[..., Waiting]:
    """Start a run in the server, and have it wait."""

    def started(**parameters: Any) -> Waiting:
        run = served.submit("ask/ask", incident=asking.incident, file=str(asking.file), **parameters)
        waiting = Waiting(served, asking, run)
        waiting.paused()
        return waiting

    return started


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return Path(os.environ.get("SCREENSHOTS", tmp_path)) / "approval-form.png"


@pytest.mark.long
def test_the_form_in_the_browser(wait: Callable[..., Waiting], page: Any, picture: Path) -> None:
    waiting = wait()
    page.goto(f"/v2/runs/flow-run/{waiting.run_id}")
    page.get_by_text("Paused").first.wait_for()
    page.locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("the whole plan is an artifact").wait_for()
    dialog.get_by_role("button", name="Select Decision").click()
    page.get_by_role("option", name="approve", exact=True).click()
    for number, text in enumerate(("Ada Lovelace", "users wait")):
        dialog.locator("textarea").nth(number).fill(text)
    page.screenshot(path=picture)
    dialog.get_by_role("button", name="Resume").click()
    waiting.ended("COMPLETED", lines=1)
    assert [one["way"] for one in waiting.asking.events("approval")] == ["Prefect UI or API"]


def test_by_the_api(wait: Callable[..., Waiting]) -> None:
    waiting = wait()
    for wrong in (None, {}, YES | {"by": " "}, YES | {"reason": ""}, YES | {"decision": "maybe"}, YES | {"more": "x"}):
        status, reason = waiting.resume(wrong)
        assert status == "REJECT", (wrong, reason)
    assert waiting.asking.written() == []
    assert waiting.resume(YES)[0] == "ACCEPT"
    waiting.ended("COMPLETED", lines=1)
    [event] = waiting.asking.events("approval")
    expected = {"by": "Ada Lovelace", "reason": "users wait", "way": "Prefect UI or API", "granted": True}
    assert event.items() >= (expected | {"user": "the API asks for no name"}).items()
    assert waiting.resume(YES) == ("ABORT", "Cannot resume a flow run that is not paused.")


@pytest.mark.long
def test_a_refusal_by_the_api(wait: Callable[..., Waiting]) -> None:
    waiting = wait()
    assert waiting.resume(NO)[0] == "ACCEPT"
    assert "was refused by Ada Lovelace: not now" in waiting.ended("FAILED", lines=0)


@pytest.mark.long
def test_who_only_resumes_it_has_approved_nothing(wait: Callable[..., Waiting]) -> None:
    waiting = wait()
    first = waiting.paused()
    assert waiting.resume(YES | {"by": "a\nb"})[0] == "ACCEPT"  # by Prefect, not by us
    second = waiting.paused(known=first)
    assert waiting.set_state("RUNNING") == "ACCEPT"
    waiting.paused(known=second)
    assert waiting.asking.written() == []
    assert waiting.resume(YES)[0] == "ACCEPT"
    waiting.ended("COMPLETED", lines=1)


@pytest.mark.long
def test_another_shell_ends_the_pause(wait: Callable[..., Waiting]) -> None:
    waiting = wait()
    assert waiting.asking.approve().returncode == 0
    waiting.ended("COMPLETED", lines=1)
    assert [one["way"] for one in waiting.asking.events("approval")] == ["recover approve"]


@pytest.mark.long
def test_of_three_ways_at_one_moment_one_counts(served: Served, asking: Asking) -> None:
    for _ in range(max(1, N // 4)):
        one = asking.another()
        asked = one.start(terminal=True, server=True)
        until(lambda asked=asked: "yes or no: " in asked.shown, what=lambda asked=asked: asked.shown)
        waiting = Waiting(served, one, LINK.findall(asked.shown)[0])
        waiting.paused()
        asked.answer("yes or no: ", "no\n")
        asked.answer("Your name [", "Grace\n")
        until(lambda asked=asked: "Why: " in asked.shown)
        with ThreadPoolExecutor(2) as pool:
            shell = pool.submit(one.approve, by="eve")
            until(lambda one=one, shell=shell: shell.running() or shell.done())
            pool.submit(waiting.resume, YES)
            asked.type("not now\n")
        asked.process.wait(300)
        [event] = one.events("approval")
        assert (shell.result().returncode == 0) is (event["by"] == "eve"), (event, shell.result().stderr)
        waiting.ended("COMPLETED" if event["granted"] else "FAILED", lines=int(event["granted"]))


@pytest.mark.long
def test_a_run_of_the_terminal_has_a_form_too(served: Served, asking: Asking) -> None:
    asked = asking.start(terminal=True, server=True)
    until(lambda: "yes or no: " in asked.shown, what=lambda: asked.shown)
    [run_id] = LINK.findall(asked.shown)
    waiting = Waiting(served, asking, run_id)
    waiting.paused()
    assert waiting.resume(YES)[0] == "ACCEPT"
    assert "answered by Ada Lovelace (Prefect UI or API)" in asked.ended(0)
    waiting.ended("COMPLETED", lines=1)


@pytest.mark.long
def test_the_terminal_of_a_run_in_the_server(served: Served, asking: Asking) -> None:
    asked = asking.start(terminal=True, server=True)
    until(lambda: "yes or no: " in asked.shown, what=lambda: asked.shown)
    [run_id] = LINK.findall(asked.shown)
    asked.answer("yes or no: ", "no\n")
    asked.answer("Your name [", "Grace\n")
    asked.answer("Why: ", "not now\n")
    asked.ended(17)
    assert "was refused by Grace: not now" in Waiting(served, asking, run_id).ended("FAILED", lines=0)


@pytest.mark.long
def test_a_run_of_the_terminal_is_cancelled_in_the_ui(served: Served, asking: Asking) -> None:
    asked = asking.start(terminal=True, server=True)
    until(lambda: "yes or no: " in asked.shown, what=lambda: asked.shown)
    waiting = Waiting(served, asking, LINK.findall(asked.shown)[0])
    waiting.paused()
    assert waiting.set_state("CANCELLING") == "ACCEPT"
    asked.ended(18)
    waiting.ended("CANCELLED", lines=0)
    assert asking.approvals.waiting() == []


@pytest.mark.long
def test_cancelled_while_it_waits(wait: Callable[..., Waiting]) -> None:
    waiting = wait()
    assert waiting.set_state("CANCELLING") == "ACCEPT"
    waiting.ended("CANCELLED", lines=0)
    until(lambda: not waiting.asking.approvals.waiting(), what=lambda: str(waiting.asking.approvals.waiting()))
    late = waiting.asking.approve()
    assert (late.returncode, waiting.asking.written()) == (14, []), late.stdout
    assert waiting.resume(YES)[0] == "ABORT"
    assert waiting.asking.approvals.granted(waiting.asking.approvals.requests()[0].plan) is None


@pytest.mark.long
def test_the_server_is_killed_while_it_waits(wait: Callable[..., Waiting], served: Served) -> None:
    waiting = wait()
    holder = lease_holder(served.state_dir / "prefect", "serve")
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    until(lambda: served.recover("serve", "--status").returncode == 1)
    assert waiting.asking.approve().returncode == 0
    until(lambda: len(waiting.asking.written()) == 1, what=lambda: str(waiting.asking.events()))
    assert served.recover("serve", "--detach").returncode == 0
    waiting.ended("COMPLETED", lines=1)


@pytest.mark.long
def test_the_server_comes_back_while_it_waits(wait: Callable[..., Waiting], served: Served) -> None:
    waiting = wait()
    holder = lease_holder(served.state_dir / "prefect", "serve")
    assert holder is not None
    os.kill(holder, signal.SIGKILL)
    until(lambda: served.recover("serve", "--status").returncode == 1)
    assert served.recover("serve", "--detach").returncode == 0
    waiting.paused()
    assert waiting.resume(YES)[0] == "ACCEPT"
    waiting.ended("COMPLETED", lines=1)
