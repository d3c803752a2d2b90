"""A container: docker:clickview-db."""

from __future__ import annotations

from datetime import datetime

from recovery.adapters.process import Host
from recovery.adapters.services.containers import Containers
from recovery.adapters.services.reached import Patience, require_running, require_stopped
from recovery.facts import ServiceFacts


class DockerContainer:
    """One container by its name."""

    def __init__(self, host: Host, name: str, patience: Patience) -> None:
        self._containers, self._name, self._patience = Containers(host), name, patience

    @property
    def locator(self) -> str:
        return f"docker:{self._name}"

    def read_facts(self) -> ServiceFacts:
        [facts] = self._containers.read([self._name], self.locator)
        return facts

    def start(self) -> None:
        facts, complaint = self.read_facts(), ""
        if facts.ended:
            complaint = self._containers.act(["docker", "start", self._name], seconds=self._patience.start)
        elif facts.state == "paused":
            complaint = self._containers.act(["docker", "unpause", self._name], seconds=self._patience.start)
        self._require_running(complaint)

    def stop(self) -> None:
        if self.read_facts().ended:
            return
        complaint = self._containers.act(self._argv("stop"), seconds=self._patience.stop)
        require_stopped(self, self._patience.stop, complaint=complaint)

    def restart(self) -> None:
        before = self.read_facts()
        patience = self._patience.stop + self._patience.start
        complaint = self._containers.act(self._argv("restart"), seconds=patience)
        self._require_running(complaint, before)

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        return self._containers.log([self._name], lines, since)

    def _argv(self, what: str) -> list[str]:
        # Without a time of ours docker kills after ten seconds: for a database that is a crash.
        return ["docker", what, "-t", f"{self._patience.stop:.0f}", self._name]

    def _require_running(self, complaint: str, other_than: ServiceFacts | None = None) -> None:
        seconds, steady = self._patience.start, self._patience.steady
        require_running(self, seconds, other_than=other_than, steady_seconds=steady, complaint=complaint)
