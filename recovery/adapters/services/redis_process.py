"""A Redis server that is started with its redis.conf: process:DIRECTORY."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from recovery.adapters.files import exists, read_text
from recovery.adapters.local_user import as_root
from recovery.adapters.process import Host
from recovery.adapters.services.log_lines import file_lines
from recovery.adapters.services.reached import Patience, act, require_running, require_stopped
from recovery.adapters.services.redis_answer import Answer, Endpoint, ask
from recovery.adapters.services.seen_processes import SeenProcess, signal_process, started_at, working_in
from recovery.errors import RecoveryError, SettingsInvalid
from recovery.facts import ServiceFacts

_NAMES = ("redis",)
_FAREWELL = "bye bye"  # the last line of one that was told to end
_LAUNCH_SECONDS = 60.0  # it goes into the background at once and loads its data there


@dataclass(frozen=True)
class _Configuration:
    """What its redis.conf says of places. Files that it includes are not read."""

    directives: dict[str, str]

    def path(self, name: str) -> Path | None:
        text = self.directives.get(name, "").strip("\"'")
        return Path(text) if text.startswith("/") else None


class RedisProcess:
    """The server that works in one directory, whoever started it; it needs no pid file."""

    def __init__(
        self,
        host: Host,
        directory: Path,
        patience: Patience,
        endpoint: Callable[[], Endpoint],
        *,
        log_file: Path | None = None,
    ) -> None:
        self._host, self._directory, self._patience = host, directory, patience
        self._endpoint, self._log_file = endpoint, log_file
        self._looking = as_root(host)  # sees every user's processes

    @property
    def locator(self) -> str:
        return f"process:{self._directory}"

    def read_facts(self) -> ServiceFacts:
        server = self._server(self._configuration())
        if server is None:
            return self._ended(ask(self._endpoint()))
        facts = ServiceFacts(self.locator, "running", since=started_at(self._looking, server), pid=server.pid)
        if server.frozen:
            return replace(facts, state="paused", detail=f"frozen by a signal: kill -CONT {server.pid}")
        answer = ask(self._endpoint())
        if answer.loading:
            return replace(facts, state="starting", detail="it loads its data")
        if not answer.there:
            return replace(facts, healthy=False, detail=f"it does not answer: {answer.said}")
        if answer.pid not in (None, server.pid):
            return replace(facts, healthy=False, detail=f"another Redis (process {answer.pid}) answers in its place")
        return replace(facts, healthy=None if answer.said else True, detail=answer.said)  # it may not let us in

    def start(self) -> None:
        facts, complaint = self.read_facts(), ""
        if facts.state == "paused":
            signal_process(self._looking, facts.pid or 0, ["CONT"])
        elif facts.ended:
            complaint = self._launch()
        require_running(self, self._patience.start, complaint=complaint)

    def stop(self) -> None:
        server = self._server(self._configuration())
        if server is None:
            self.read_facts()  # says so when it is elsewhere
            return
        # As SHUTDOWN, but it can reach no other server than the one that works here. A frozen one hears CONT first.
        signal_process(self._looking, server.pid, ["TERM", "CONT"])
        require_stopped(
            self, self._patience.stop, hint="it ends only when it can write its data: see its log and its disk"
        )

    def restart(self) -> None:
        self.stop()
        self.start()

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        return file_lines(self._host, self._log(self._configuration()), lines, since, setting="redis.log_file")

    def _configuration(self) -> _Configuration:
        text = read_text(self._host, self._directory / "redis.conf")
        if not text:
            raise SettingsInvalid(
                f"{self._directory} is no directory of Redis: there is no redis.conf in it",
                "correct services.redis, or its prefix if it is on another machine",
            )
        pairs = (line.split(None, 1) for line in text.splitlines() if not line.lstrip().startswith("#"))
        return _Configuration({words[0].lower(): words[1].strip() for words in pairs if len(words) == 2})

    def _log(self, configuration: _Configuration) -> Path:
        return self._log_file or configuration.path("logfile") or self._directory / "redis.log"

    def _server(self, configuration: _Configuration) -> SeenProcess | None:
        """The server, and not one of the children that write its files."""
        works_in = configuration.path("dir") or self._directory
        if not exists(self._host, works_in):
            return None
        found = working_in(self._looking, works_in, _NAMES)
        pids = {one.pid for one in found}
        return next((one for one in found if one.parent not in pids), None)

    def _ended(self, answer: Answer) -> ServiceFacts:
        if answer.there or answer.loading:
            raise SettingsInvalid(
                f"a Redis answers at {self._endpoint().place}, and none works in {self._directory}",
                "correct services.redis, [redis] host and port, or its prefix if it is on another machine",
            )
        try:
            last = self.read_log(lines=1)
        except RecoveryError:  # none was ever written: it never ran
            return ServiceFacts(self.locator, "stopped", detail="it has no log that would say how it ended")
        if _FAREWELL in last:
            return ServiceFacts(self.locator, "stopped")
        return ServiceFacts(self.locator, "failed", detail=f"it was not told to end; the last line of its log: {last}")

    def _launch(self) -> str:
        configuration = self._configuration()
        argv: list[str | Path] = ["redis-server", self._directory / "redis.conf", "--daemonize", "yes"]
        argv += ["--supervised", "no"]
        if not configuration.path("logfile"):
            argv += ["--logfile", self._log(configuration)]
        if not configuration.path("dir"):
            argv += ["--dir", self._directory]
        if not configuration.path("pidfile"):  # else one in /var/run, which is the machine's own Redis's
            argv += ["--pidfile", self._directory / "redis.pid"]
        return act(self._host, argv, seconds=_LAUNCH_SECONDS, outlives=True)
