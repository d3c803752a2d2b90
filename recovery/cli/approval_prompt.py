"""The approval at the terminal of the command: three questions, answered a line each; another way may be faster."""

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from recovery.approval import WAYS
from recovery.cli.plan_table import print_plan
from recovery.cli.user import who_types
from recovery.facts import Answer, Plan, Request

_YES, _NO = ("yes", "y"), ("no", "n")


class Prompt:
    """Asks on standard error, reads what is typed; never waits for it."""

    def __init__(self) -> None:
        self._typed = b""
        self._said: list[str] = []
        self._request: Request | None = None

    def open(self, plan: Plan, request: Request) -> None:
        """Show the plan and ask."""
        self._request = request
        print_plan(plan)
        if _is_ours_to_read():
            with suppress(termios.error):  # the terminal was closed: the other ways go on
                termios.tcflush(
                    sys.stdin, termios.TCIFLUSH
                )  # what was typed before the plan was seen is no answer to it
        self._ask()

    def heard(self) -> Answer | None:
        """The answer, when the last line of it was typed."""
        while (line := self._line()) is not None:
            if not self._take(line.strip()):
                self._ask()
                continue
            return self._answer()
        return None

    def ask_again(self, problem: str) -> None:
        """Say what was wrong, and begin with the first question."""
        print(f"\n  {problem}", file=sys.stderr)
        self._said = []
        self._ask()

    def close(self, answer: Answer | None) -> None:
        """Say who was faster."""
        if answer and answer.way != _WAY:
            print(f"\n  answered by {answer.by} ({answer.way})", file=sys.stderr, flush=True)
        self._request = None

    def _take(self, line: str) -> bool:
        """Keep a line when it answers its question; whether it was the last one."""
        if not self._said:
            if line.lower() in _YES + _NO:
                self._said.append(line.lower())
            return False
        if len(self._said) == 1:
            self._said.append(line or who_types())
            return False
        if line:
            self._said.append(line)
        return bool(line)

    def _answer(self) -> Answer | None:
        if self._request is None:
            return None
        (decision, by, reason), self._said = self._said, []
        now = datetime.now(UTC)
        return Answer(self._request.plan, decision in _YES, by, reason, who_types(), _WAY, now, now)

    def _ask(self) -> None:
        question = ("Carry this plan out? yes or no: ", f"Your name [{who_types()}]: ", "Why: ")[len(self._said)]
        print(f"  {question}", end="", file=sys.stderr, flush=True)

    def _line(self) -> str | None:
        """The next line that was typed, or None."""
        while b"\n" not in self._typed and _is_ours_to_read() and select.select([sys.stdin], [], [], 0)[0]:
            more = os.read(sys.stdin.fileno(), 4096)
            if not more:
                return None
            self._typed += more
        if b"\n" not in self._typed:
            return None
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace")


def _is_ours_to_read() -> bool:
    """Whether we are in the foreground, or have no terminal any more: who reads from behind is stopped by the kernel."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return not sys.stdin.isatty()


_WAY = "terminal"


@contextmanager
def asking_here() -> Iterator[None]:
    """Have this terminal be one of the ways, where there is one."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        yield
        return
    prompt = Prompt()
    WAYS.append(prompt)
    try:
        yield
    finally:
        WAYS.remove(prompt)
