"""Approvals as files in the incident's folder: whoever answers first has answered, by whichever way, without any server.

A request is a folder with `asked.json`; its answer is `answer.json`, which can be made only once.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from recovery.errors import GateRefused
from recovery.facts import Answer, Plan, Request
from recovery.journal import masked_json
from recovery.ownership import disk_trouble, make_folder, make_ours, names_in, read_ours


class Way(Protocol):
    """One way to hear a person's answer. None of them may hold up the others, or fail."""

    def open(self, plan: Plan, request: Request) -> None:
        """Begin to ask."""

    def heard(self) -> Answer | None:
        """What was answered since the last look, if anything; never waits."""

    def ask_again(self, problem: str) -> None:
        """What was heard was no answer, or came too late; say so, and ask again when it still waits."""

    def close(self, answer: Answer | None) -> None:
        """Ask no more; this was the answer, or nobody gave one."""


# The ways of this process beside the Prefect UI and the file: the terminal of a `recover` command.
WAYS: list[Way] = []

_REQUEST = re.compile(r"(\d{3,6})-([0-9a-f]{64})")
_LONGEST = 1000
_SHORTEST_HASH = 8
_NOT_OURS = (ValueError, KeyError, TypeError, RecursionError)  # what reading damaged JSON comes to


@dataclass(frozen=True)
class Approvals:
    """All that was asked and answered in one incident."""

    folder: Path

    def ask(self, plan: str, summary: str, *, wait: timedelta) -> Request:
        """Ask for a plan's approval. What a run that was killed has asked nobody waits for: it is taken back.

        Raises: SettingsInvalid when it cannot be written.
        """
        for known in self.waiting():
            if self.withdraw(known) and known.plan == plan:
                return known  # somebody was faster: that answer counts
        now = datetime.now(UTC)
        taken = (_REQUEST.fullmatch(name) for name in names_in(self.folder))
        number = max((int(one[1]) for one in taken if one), default=0) + 1
        request = Request(number, plan, summary, now, now + wait)
        place = self._place(request)
        with disk_trouble(place):
            make_folder(self.folder, mode=0o750)
            make_folder(place, mode=0o750, exist_ok=False)
            self._leave(place / "asked.json", asdict(request))
        return request

    def requests(self) -> list[Request]:
        """Every request, oldest first. One that a crash cut short, or that is another folder's, is none."""
        found = []
        for name in names_in(self.folder):
            if _REQUEST.fullmatch(name) and (asked := read_ours(self.folder / name / "asked.json")):
                with suppress(*_NOT_OURS):
                    request = _request(json.loads(asked))
                    if self._place(request).name == name:
                        found.append(request)
        return sorted(found, key=lambda one: one.number)

    def answer_of(self, request: Request) -> Answer | None:
        """What was answered, if anybody did. A file there that is no answer of ours is a no: nobody can answer any more."""
        path = self._place(request) / "answer.json"
        if (answered := read_ours(path)) is None:
            return None
        try:
            return _answer(json.loads(answered), request.plan)
        except _NOT_OURS:
            reason = f"{path} is no answer of ours; see who wrote it"
            return Answer(request.plan, False, "a damaged file", reason, "", "file", request.until, request.until)

    def withdraw(self, request: Request) -> Answer | None:
        """Have nobody answer any more what nobody waits for; the answer, when somebody was faster.

        Raises: SettingsInvalid when it cannot be written.
        """
        now = datetime.now(UTC)
        reason = "it stopped before anybody had answered"
        said = Answer(request.plan, False, "the run that asked", reason, "", "withdrawn", now, now)
        try:
            self._say(request, said)
        except FileExistsError:
            return self.answer_of(request)
        return None

    def granted(self, plan: str) -> Answer | None:
        """The approval of exactly this plan that still holds, or None."""
        now = datetime.now(UTC)
        answers = (self.answer_of(one) for one in self.requests() if one.plan == plan)
        return next((one for one in answers if one and one.granted and one.valid_until > now), None)

    def waiting(self) -> list[Request]:
        """What waits for an answer now."""
        now = datetime.now(UTC)
        return [one for one in self.requests() if one.until > now and self.answer_of(one) is None]

    def answer(
        self, plan: str, *, granted: bool, by: str, reason: str, user: str, way: str, valid: timedelta
    ) -> Answer:
        """Answer what waits; `plan` is the plan's hash or how it begins, from 8 digits on.

        Raises: GateRefused when nothing of that hash waits, when somebody was faster, or when a word is missing.
        SettingsInvalid when it cannot be written.
        """
        self._require_words(by, reason)
        request = self._asked(plan)
        now = datetime.now(UTC)
        if request.until <= now:
            raise GateRefused(
                f"plan {request.plan[:12]} was asked until {request.until:%H:%M:%S} UTC: too late",
                "start the recovery again with the same incident; it asks anew",
            )
        said = Answer(request.plan, granted, by.strip(), reason.strip(), user, way, now, now + valid)
        try:
            self._say(request, said)
        except FileExistsError as error:
            raise self._too_late(request) from error
        return said

    def _asked(self, plan: str) -> Request:
        known = [one for one in self.requests() if len(plan) >= _SHORTEST_HASH and one.plan.startswith(plan.lower())]
        if len({one.plan for one in known}) != 1:
            shown = ", ".join(one.plan[:12] for one in self.waiting()) or "nothing"
            raise GateRefused(
                f"no plan {plan!r} was asked here; what waits: {shown}",
                f"name the plan that waits, by {_SHORTEST_HASH} or more digits of its hash",
            )
        open_ones = [one for one in known if self.answer_of(one) is None]
        if not open_ones:
            raise self._too_late(known[-1])
        return open_ones[-1]

    def _too_late(self, request: Request) -> GateRefused:
        said = self.answer_of(request)
        if said is None:
            path = self._place(request) / "answer.json"
            return GateRefused(f"{path} is in the answer's place and is none", "see who put it there, and remove it")
        word = "approved" if said.granted else "refused"
        return GateRefused(
            f"plan {request.plan[:12]} was {word} by {said.by} at {said.at:%H:%M:%S} UTC ({said.way})",
            "nothing is left to do here; a changed plan asks anew",
        )

    @staticmethod
    def _require_words(by: str, reason: str) -> None:
        for name, text in (("by", by), ("reason", reason)):
            if not text.strip() or len(text) > _LONGEST or not text.isprintable():
                raise GateRefused(
                    f"--{name} must be one line of 1 to {_LONGEST} characters",
                    "say who you are and why: it is kept with the incident",
                )

    def _place(self, request: Request) -> Path:
        return self.folder / f"{request.number:03d}-{request.plan}"

    def _say(self, request: Request, said: Answer) -> None:
        place = self._place(request)
        with disk_trouble(place):
            self._leave(place / "answer.json", asdict(said))

    @staticmethod
    def _leave(path: Path, value: dict[str, Any]) -> None:
        """Have a whole file there, once. Raises: FileExistsError when there is one."""
        make_ours(path, masked_json(value, indent=1).encode())


def _request(value: dict[str, Any]) -> Request:
    moments = {name: _moment(value[name]) for name in ("asked_at", "until")}
    return Request(int(value["number"]), value["plan"], value["summary"], **moments)


def _answer(value: dict[str, Any], plan: str) -> Answer:
    moments = {name: _moment(value[name]) for name in ("at", "valid_until")}
    said = Answer(**{**value, **moments})
    if said.plan != plan or not isinstance(said.granted, bool):
        raise ValueError("an answer to something else")
    return said


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment
