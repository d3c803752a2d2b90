"""A service of a compose file: compose:backend. Compose says which containers it has; docker does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.adapters.services.containers import Containers
from recovery.adapters.services.reached import Patience, require_running, require_stopped
from recovery.adapters.services.several import together
from recovery.errors import SettingsInvalid
from recovery.facts import ServiceFacts

_VERSIONS = (("docker", "compose"), ("docker-compose",))


class ComposeService:
    """All containers of one service of a compose file."""

    def __init__(self, host: Host, name: str, patience: Patience, file: Path, project: str | None = None) -> None:
        self._containers, self._name, self._patience = Containers(host), name, patience
        self._project: list[str | Path] = ["-f", file, *(["-p", project] if project else [])]

    @property
    def locator(self) -> str:
        return f"compose:{self._name}"

    @cached_property
    def _compose(self) -> list[str | Path]:
        """`docker compose`, or `docker-compose` where there is only that."""
        for program in _VERSIONS:
            try:
                told = self._containers.host.run([*program, "version"], timeout_seconds=PROMPT_SECONDS, check=False)
            except SettingsInvalid:  # without a prefix a missing program is told like this
                continue
            if told.status == 0:
                return [*program, *self._project]
        raise SettingsInvalid(
            "docker compose is not installed where it should run", "install docker-compose-plugin there"
        )

    def read_facts(self) -> ServiceFacts:
        ids = self._ids()
        if not ids:
            return ServiceFacts(self.locator, "stopped", detail="it has no container")
        return together(self.locator, self._containers.read(ids, self.locator))

    def start(self) -> None:
        facts, complaint = self.read_facts(), ""
        if facts.state == "paused":
            complaint = self._act("unpause")
        if facts.ended or facts.healthy is False:  # one of several may be down: up passes over those that run
            complaint = self._up()
        self._require_running(complaint)

    def stop(self) -> None:
        if self.read_facts().ended:
            return
        complaint = self._act("stop", "-t", f"{self._patience.stop:.0f}")
        require_stopped(self, self._patience.stop, complaint=complaint)

    def restart(self) -> None:
        before = self.read_facts()
        again = ["restart", "-t", f"{self._patience.stop:.0f}"]
        complaint = self._act(*again) if self._ids() else self._up()
        self._require_running(complaint, before)

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        return self._containers.log(self._ids(), lines, since)

    def _ids(self) -> Sequence[str]:
        return self._containers.ask([*self._compose, "ps", "--all", "--quiet", self._name]).stdout.split()

    def _act(self, *what: str) -> str:
        argv = ["docker", *what, *self._ids()]
        return self._containers.act(argv, seconds=self._patience.stop + self._patience.start)

    def _up(self) -> str:
        # Not what it depends on, and nothing anew: a file that was changed meanwhile is not rolled out by a recovery.
        argv = [*self._compose, "up", "--detach", "--no-deps", "--no-recreate", self._name]
        return self._containers.act([str(word) for word in argv], seconds=self._patience.start)

    def _require_running(self, complaint: str, other_than: ServiceFacts | None = None) -> None:
        seconds, steady = self._patience.start, self._patience.steady
        require_running(self, seconds, other_than=other_than, steady_seconds=steady, complaint=complaint)
