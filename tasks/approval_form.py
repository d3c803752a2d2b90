"""The approval as a form in the Prefect UI: the run is shown as paused, its Resume button has the plan and the fields.

Prefect's own `pause_flow_run` hears nobody but the server and fails with it. Here the run itself goes on looking: who
answers at the terminal or from another shell ends the pause, and a server that dies takes only this way away.
Ref.: Prefect, Pausing flow runs; run inputs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from recovery.facts import Answer, Plan, Request
from recovery.redaction import redact
from recovery.site import site
from tasks.server_api import ServerTrouble, ask_server, of_this_run
from tasks.step import warn

_WORD = r"\S"
_REST_SECONDS = 10.0
_LOOK_SECONDS = 5.0  # who answers at the terminal waits as long when the server hangs
_SERVER_LATER_SECONDS = 60.0


T = TypeVar("T")


class ApprovalInput(BaseModel):
    """What the form asks. Every field is required: a run that somebody merely resumes has no approval."""

    model_config = ConfigDict(extra="forbid", title="Approval")

    decision: Literal["approve", "refuse"] = Field(
        description="approve: the plan above is carried out; refuse: nothing is changed"
    )
    by: str = Field(pattern=_WORD, max_length=200, description="who you are")
    reason: str = Field(pattern=_WORD, max_length=1000, description="why; it is kept with the incident")


class ApprovalForm:
    """One pause of this flow run, made again when what came was no answer."""

    def __init__(self, document: str) -> None:
        self._document = redact(document)
        self._request: Request | None = None
        self._number = 0
        self._paused = False
        self._rest_until = 0.0

    def open(self, plan: Plan, request: Request) -> None:
        """Show the run as paused, with the form."""
        self._request = request
        self._try(self._pause)

    def heard(self) -> Answer | None:
        """What was answered in the form, once."""
        if time.monotonic() < self._rest_until:
            return None
        if not self._paused:
            self._try(self._pause)
            return None
        return self._try(self._heard)

    def ask_again(self, problem: str) -> None:
        """Pause again: what came was no answer."""
        self._paused = False

    def close(self, answer: Answer | None) -> None:
        """Have the run shown as running again when the answer came another way. One that is cancelled stays so."""
        if self._paused:
            self._try(lambda: self._set_state("RUNNING", "answered elsewhere" if answer else "not answered", {}))

    def _pause(self) -> None:
        request = self._request
        assert request is not None
        state = self._state()
        if state["type"] == "PAUSED" and state["state_details"]["pause_key"] == self._key:
            self._paused = True  # it took it, and its answer was lost
        if state["type"] != "RUNNING":
            return
        self._number += 1  # Prefect takes the key of a pause, and of an input, only once
        keys = {name: f"{self._base}-{name}" for name in ("description", "response", "schema")}
        schema = json.dumps(ApprovalInput.model_json_schema())
        ask_server("POST", of_this_run("/input"), {"key": keys["schema"], "value": schema})
        ask_server("POST", of_this_run("/input"), {"key": keys["description"], "value": json.dumps(self._document)})
        # Later than ours: the server fails a run whose pause it sees end, whatever the run itself says.
        ends = request.until + timedelta(seconds=_SERVER_LATER_SECONDS)
        details = {"pause_timeout": ends.isoformat(), "pause_key": self._key, "run_input_keyset": keys}
        self._paused = self._set_state("PAUSED", "waits for approval", details)

    def _heard(self) -> Answer | None:
        if self._state()["type"] != "RUNNING":
            return None
        wanted = {"prefix": f"{self._base}-response", "limit": 1}
        found = ask_server("POST", of_this_run("/input/filter"), wanted)
        self._paused = False
        answer = self._answer(found[0]["value"]) if found else None
        if answer is None:
            warn("the run was resumed without an answer: that is no approval")
        return answer

    def _answer(self, said: str) -> Answer | None:
        request = self._request
        assert request is not None
        try:
            given = ApprovalInput.model_validate_json(said)
        except ValueError:
            return None
        now = datetime.now(UTC)
        granted = given.decision == "approve"
        return Answer(request.plan, granted, given.by, given.reason, _api_user(), "Prefect UI or API", now, now)

    @staticmethod
    def _state() -> dict[str, Any]:
        return dict(ask_server("GET", of_this_run(""), seconds=_LOOK_SECONDS)["state"])

    @property
    def _key(self) -> str:
        assert self._request is not None
        return f"{self._request.plan[:12]}-{self._request.number}-{self._number}"

    @property
    def _base(self) -> str:
        return f"paused-{self._key}"

    def _set_state(self, kind: str, message: str, details: dict[str, Any]) -> bool:
        """Whether the server took it. It does not when the run is being cancelled."""
        state = {"type": kind, "name": kind.capitalize(), "message": message, "state_details": details}
        return bool(ask_server("POST", of_this_run("/set_state"), {"state": state})["status"] == "ACCEPT")

    def _try(self, do: Callable[[], T]) -> T | None:
        """Do it, unless the server does not answer: then it is left alone for a while, and may come back."""
        try:
            return do()
        except ServerTrouble as error:
            if not self._rest_until:
                warn(f"the approval's form is not in the UI now ({error}); the other ways work")
            self._rest_until = time.monotonic() + _REST_SECONDS
            return None


def _api_user() -> str:
    """Whom the API knows: the name that its password belongs to."""
    password = site().secrets.reveal(site().settings.server.api_password)
    return password.partition(":")[0] if password else "the API asks for no name"
