"""The application as its users see it: its health check over HTTP."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request

from recovery.environment import forget_the_shell
from recovery.facts import HealthFacts
from recovery.settings.services import ApplicationSettings

_ANSWER_SECONDS = 10.0  # a health check that takes longer says that something is wrong

_LONGEST_ANSWER = 65536

_LONGEST_VERSION = 100


class Application:
    """Asks the health check."""

    def __init__(self, settings: ApplicationSettings) -> None:
        self._settings = settings

    def version(self) -> str | None:
        """The version that runs: from the settings, else from the health check; None when it does not say."""
        if self._settings.version:
            return _in_short(self._settings.version)
        answer = self._ask()[1]
        return _in_short(str(answer["version"])) if "version" in answer else None

    def look(self, url: str | None = None) -> HealthFacts:
        """What the health check, or another page, says; that nothing answers is a fact."""
        begin = time.monotonic()
        status, said, problem = self._ask(url)
        return HealthFacts(status, time.monotonic() - begin, _parts(said), problem)

    def _ask(self, url: str | None = None) -> tuple[int, dict[str, object], str]:
        """The health check's status (0 when nothing answers), what it says, and why nothing answers."""
        status = 0
        try:
            with self._answer(url or self._settings.health_url) as response:
                status = response.status or 0
                return status, _object(_read(response)), ""
        except (OSError, http.client.HTTPException) as error:
            # A status whose body was cut off, or never ended, is an answer of the gateway all the same.
            return status, {}, str(getattr(error, "reason", "") or error) or type(error).__name__

    @staticmethod
    def _answer(url: str) -> http.client.HTTPResponse | urllib.error.HTTPError:
        """Whatever it answers with, 503 too."""
        try:
            return open_url(url, seconds=_ANSWER_SECONDS)
        except urllib.error.HTTPError as error:
            return error


def _read(response: http.client.HTTPResponse | urllib.error.HTTPError) -> bytes:
    """What it says, as far as a health check can be long, and within the time of one answer."""
    deadline, body = time.monotonic() + _ANSWER_SECONDS, b""
    while len(body) < _LONGEST_ANSWER and time.monotonic() < deadline:
        piece = response.read1(_LONGEST_ANSWER) if hasattr(response, "read1") else response.read(_LONGEST_ANSWER)
        if not piece:
            break
        body += piece
    return body


def _parts(said: dict[str, object]) -> dict[str, str]:
    """The parts that a health check names: `{"checks": {"database": {"status": "fail"}}}`, or the word alone."""
    checks = said.get("checks")
    found = {}
    for name, one in (checks if isinstance(checks, dict) else {}).items():
        word = one.get("status") if isinstance(one, dict) else one
        found[str(name)] = {"up": "pass", "down": "fail"}.get(str(word), str(word))
    return found


def _in_short(version: str) -> str:
    """It becomes an argument of a program: one line, and no longer than a version can be."""
    return "".join(letter if letter.isprintable() else " " for letter in version[:_LONGEST_VERSION]).strip()


def open_url(url: str, *, seconds: float) -> http.client.HTTPResponse:
    """The answer of a web server; on this machine without the proxy that the shell may name."""
    forget_the_shell()
    answer: http.client.HTTPResponse = urllib.request.build_opener().open(url, timeout=seconds)
    return answer


def _object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
