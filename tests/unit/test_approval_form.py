"""The form of an approval against a server that loses answers, hangs, or is told something else meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from recovery.facts import Answer, Request
from tasks import approval_form
from tasks.approval_form import ApprovalForm
from tasks.server_api import ServerTrouble

PLAN = "ab" * 32
YES = {"decision": "approve", "by": "Ada", "reason": "users wait"}


class Server:
    """One flow run, as far as the form asks for it."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"type": "RUNNING", "state_details": {"pause_key": None}}
        self.inputs: dict[str, str] = {}
        self.silent = False
        self.loses_answers = False

    def ask(self, method: str, path: str, body: Any = None, *, seconds: float = 15.0) -> Any:
        if self.silent:
            raise ServerTrouble("silent", True)
        answer = self._answer(path, body)
        if self.loses_answers and path == "/set_state":
            raise ServerTrouble("the answer was lost", True)
        return answer

    def _answer(self, path: str, body: Any) -> Any:
        if path == "/input":
            assert body["key"] not in self.inputs, "Prefect takes each key once"
            self.inputs[body["key"]] = body["value"]
        elif path == "/input/filter":
            return [{"value": value} for key, value in self.inputs.items() if key.startswith(body["prefix"])]
        elif path == "/set_state":
            allowed = {"PAUSED": ["RUNNING"], "RUNNING": ["PAUSED"]}[body["state"]["type"]]
            if self.state["type"] not in allowed:
                return {"status": "REJECT"}
            self.state = body["state"] | {"state_details": {"pause_key": None} | body["state"]["state_details"]}
            return {"status": "ACCEPT"}
        return {"state": self.state}

    def resume(self, said: Any) -> None:
        if said is not None:
            self.inputs[self.state["state_details"]["run_input_keyset"]["response"]] = json.dumps(said)
        self.state = {"type": "RUNNING", "state_details": {"pause_key": None}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(approval_form, "ask_server", made.ask)
    monkeypatch.setattr(approval_form, "of_this_run", lambda path: path)
    monkeypatch.setattr(approval_form, "_REST_SECONDS", 0.0)
    monkeypatch.setattr(approval_form, "_api_user", lambda: "ops")
    return made


@pytest.fixture
def form(server: Server) -> ApprovalForm:
    form = ApprovalForm("the plan")
    now = datetime.now(UTC)
    form.open(None, Request(1, PLAN, "roll_back", now, now + timedelta(hours=1)))  # type: ignore[arg-type]
    return form


def test_what_is_filled_in_is_the_answer(server: Server, form: ApprovalForm) -> None:
    assert form.heard() is None
    assert server.state["type"] == "PAUSED"
    server.resume(YES)
    said = form.heard()
    assert isinstance(said, Answer)
    assert (said.granted, said.by, said.reason, said.user) == (True, "Ada", "users wait", "ops")
    form.close(said)
    assert server.state["type"] == "RUNNING"


@pytest.mark.parametrize("said", [None, {}, [], "yes", YES | {"decision": "maybe"}, YES | {"by": " "}, YES | {"x": 1}])
def test_a_run_that_is_merely_resumed_is_paused_again(server: Server, form: ApprovalForm, said: Any) -> None:
    first = server.state["state_details"]["pause_key"]
    server.resume(said)
    assert [form.heard(), form.heard()] == [None, None]
    assert server.state["type"] == "PAUSED"
    assert server.state["state_details"]["pause_key"] != first
    server.resume(YES | {"decision": "refuse"})
    assert form.heard().granted is False  # type: ignore[union-attr]


def test_a_pause_whose_answer_was_lost_is_known_again(server: Server) -> None:
    server.loses_answers = True
    form = ApprovalForm("the plan")
    now = datetime.now(UTC)
    form.open(None, Request(1, PLAN, "roll_back", now, now + timedelta(hours=1)))  # type: ignore[arg-type]
    server.loses_answers = False
    assert form.heard() is None
    server.resume(YES)
    assert form.heard() is not None


def test_a_server_that_comes_back_has_the_form(server: Server, form: ApprovalForm) -> None:
    server.silent = True
    assert [form.heard() for _ in range(3)] == [None] * 3
    server.silent = False
    server.resume(YES)
    assert form.heard() is not None


def test_a_server_that_was_silent_at_first_gets_the_form_later(server: Server) -> None:
    server.silent = True
    form = ApprovalForm("the plan")
    now = datetime.now(UTC)
    form.open(None, Request(1, PLAN, "roll_back", now, now + timedelta(hours=1)))  # type: ignore[arg-type]
    server.silent = False
    assert form.heard() is None
    assert server.state["type"] == "PAUSED"


@pytest.mark.parametrize("state", ["CANCELLING", "CANCELLED", "FAILED"])
def test_what_is_cancelled_stays_so(server: Server, form: ApprovalForm, state: str) -> None:
    server.state = {"type": state, "state_details": {"pause_key": None}}
    assert form.heard() is None
    form.ask_again("")
    assert form.heard() is None
    form.close(None)
    assert server.state["type"] == state


@pytest.mark.parametrize(("password", "user"), [(None, "the API asks for no name"), ("ops:secret:1", "ops")])
def test_whom_the_api_knows(monkeypatch: pytest.MonkeyPatch, password: str | None, user: str) -> None:
    reveal: Callable[[Any], str | None] = lambda secret: secret.get_secret_value() if secret else None  # noqa: E731
    settings = SimpleNamespace(server=SimpleNamespace(api_password=SecretStr(password) if password else None))
    here = SimpleNamespace(settings=settings, secrets=SimpleNamespace(reveal=reveal))
    monkeypatch.setattr(approval_form, "site", lambda: here)
    assert approval_form._api_user() == user
