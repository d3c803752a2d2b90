"""Approvals as files in the incident's folder: whoever answers first has answered, by whichever way, without any server.

A request is a folder with `asked.json`; its answer is `answer.json`, which can be made only once.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recovery.errors import GateRefused
from recovery.facts.approval import Answer, Request
from recovery.journal import masked_json
from recovery.ownership import make_folder, open_ours

_REQUEST = re.compile(r"(\d{3})-([0-9a-f]{64})")
_LONGEST = 1000


@dataclass(frozen=True)
class Approvals:
    """All that was asked and answered in one incident."""

    folder: Path

    def ask(self, plan: str, summary: str, *, wait: timedelta) -> Request:
        """Ask for a plan's approval; one that was asked of this same plan and still waits goes on waiting."""
        now = datetime.now(UTC)
        for known in self.requests():
            if known.plan == plan and known.until > now and self.answer_of(known) is None:
                return known
        make_folder(self.folder, mode=0o750)
        taken = (_REQUEST.fullmatch(one.name) for one in self.folder.iterdir())
        number = max((int(one[1]) for one in taken if one), default=0) + 1
        request = Request(number, plan, summary, now, now + wait)
        make_folder(self._place(request), mode=0o750, exist_ok=False)
        self._leave(self._place(request) / "asked.json", asdict(request))
        return request

    def requests(self) -> list[Request]:
        """Every request, oldest first. One that a crash cut short is none."""
        found = []
        for place in sorted(self.folder.glob("*-*")) if self.folder.exists() else []:
            if _REQUEST.fullmatch(place.name):
                with suppress(OSError, ValueError, KeyError):
                    found.append(_request(json.loads((place / "asked.json").read_text())))
        return found

    def answer_of(self, request: Request) -> Answer | None:
        """What was answered, if anybody did."""
        try:
            return _answer(json.loads((self._place(request) / "answer.json").read_text()))
        except FileNotFoundError:
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
            self._leave(self._place(request) / "answer.json", asdict(said))
        except FileExistsError as error:
            raise self._too_late(request) from error
        return said

    def _asked(self, plan: str) -> Request:
        known = [one for one in self.requests() if len(plan) >= 8 and one.plan.startswith(plan)]
        if not known:
            shown = ", ".join(one.plan[:12] for one in self.waiting()) or "nothing"
            raise GateRefused(f"no plan {plan!r} was asked here; what waits: {shown}", "name the plan that waits")
        open_ones = [one for one in known if self.answer_of(one) is None]
        if not open_ones:
            raise self._too_late(known[-1])
        return open_ones[-1]

    def _too_late(self, request: Request) -> GateRefused:
        said = self.answer_of(request)
        assert said is not None
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

    @staticmethod
    def _leave(path: Path, value: dict[str, Any]) -> None:
        """Have a whole file there, once. Raises: FileExistsError when there is one."""
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with open_ours(beside, "w") as out:
            out.write(masked_json(value, indent=1))
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(beside, path)
        finally:
            beside.unlink()


def _request(value: dict[str, Any]) -> Request:
    moments = {name: datetime.fromisoformat(value[name]) for name in ("asked_at", "until")}
    return Request(int(value["number"]), value["plan"], value["summary"], **moments)


def _answer(value: dict[str, Any]) -> Answer:
    moments = {name: datetime.fromisoformat(value[name]) for name in ("at", "valid_until")}
    return Answer(**{**value, **moments})
