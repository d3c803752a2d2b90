"""The approval as a form in the Prefect UI: the run is shown as paused, its Resume button has the plan and the fields.

Prefect's own `pause_flow_run` hears nobody but the server and fails with it. Here the run itself goes on looking: who
answers at the terminal or from another shell ends the pause, and a server that dies takes only this way away.
Ref.: Prefect, Pausing flow runs; run inputs.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recovery.facts import Answer, Plan, Request
from recovery.redaction import redact
from recovery.site import site
from tasks.server_api import ServerTrouble, ask_server, of_this_run
from tasks.step import warn

_WORD = r"\S"
_REST_SECONDS = 10.0


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
        self._pause()

    def heard(self) -> Answer | None:
        """What was answered in the form, once."""
        if not self._paused:
            return None
        run = self._ask("GET", "")
        if run is None or (run.get("state") or {}).get("type") != "RUNNING":
            return None
        self._paused = False
        answer = self._answer(self._ask("GET", f"/input/{self._base}-response"))
        if answer is None:
            warn("the run was resumed without an answer: that is no approval")
            self._pause()
        return answer

    def ask_again(self, problem: str) -> None:
        """Pause again: what came was no answer. Prefect takes the key of a pause only once."""
        self._pause()

    def close(self, answer: Answer | None) -> None:
        """Have the run shown as running again when the answer came another way."""
        if self._paused:
            self._set_state("RUNNING", "answered elsewhere" if answer else "not answered", {})

    def _pause(self) -> None:
        request = self._request
        if request is None or request.until <= datetime.now(UTC):
            return
        self._number += 1
        keys = {name: f"{self._base}-{name}" for name in ("description", "response", "schema")}
        self._ask("POST", "/input", {"key": keys["schema"], "value": json.dumps(ApprovalInput.model_json_schema())})
        self._ask("POST", "/input", {"key": keys["description"], "value": json.dumps(self._document)})
        details = {"pause_timeout": request.until.isoformat(), "pause_key": self._key, "run_input_keyset": keys}
        self._paused = self._set_state("PAUSED", "waits for approval", details)

    def _answer(self, said: Any) -> Answer | None:
        request = self._request
        assert request is not None
        try:
            given = ApprovalInput.model_validate(said)
        except ValueError:
            return None
        now = datetime.now(UTC)
        granted = given.decision == "approve"
        return Answer(request.plan, granted, given.by, given.reason, _api_user(), "Prefect UI or API", now, now)

    @property
    def _key(self) -> str:
        assert self._request is not None
        return f"{self._request.plan[:12]}-{self._number}"

    @property
    def _base(self) -> str:
        return f"paused-{self._key}"

    def _set_state(self, kind: str, message: str, details: dict[str, Any]) -> bool:
        state = {"type": kind, "name": kind.capitalize(), "message": message, "state_details": details}
        return self._ask("POST", "/set_state", {"state": state, "force": True}) is not None

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One question; None when the server does not answer: it is left alone for a while, and may come back."""
        if time.monotonic() < self._rest_until:
            return None
        try:
            return ask_server(method, of_this_run(path), body) or {}
        except ServerTrouble as error:
            if not self._rest_until:
                warn(f"the approval's form is not in the UI now ({error}); the other ways work")
            self._rest_until = time.monotonic() + _REST_SECONDS
            return None


def _api_user() -> str:
    """Whom the API knows: the name that its password belongs to."""
    password = site().secrets.reveal(site().settings.server.api_password)
    return password.partition(":")[0] if password else "the API asks for no name"
