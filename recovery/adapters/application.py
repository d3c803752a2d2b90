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

    def look(self) -> HealthFacts:
        """What the health check says; that nothing answers is a fact."""
        begin = time.monotonic()
        status, said, problem = self._ask()
        return HealthFacts(status, time.monotonic() - begin, _parts(said), problem)

    def _ask(self) -> tuple[int, dict[str, object], str]:
        """The health check's status (0 when nothing answers), what it says, and why nothing answers."""
        try:
            with open_url(self._settings.health_url, seconds=_ANSWER_SECONDS) as response:
                return response.status, _object(response.read()), ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _object(error.read()), ""
        except (OSError, http.client.HTTPException) as error:
            return 0, {}, str(getattr(error, "reason", "") or error) or type(error).__name__


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
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
