"""A PostgreSQL server that is started with pg_ctl: process:DATA_DIRECTORY."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recovery.adapters.files import exists, read_text
from recovery.adapters.local_user import as_root
from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.adapters.services.log_lines import file_lines
from recovery.adapters.services.reached import Patience, act, require_running, require_stopped
from recovery.adapters.services.seen_processes import SeenProcess, see, signal_process, working_in
from recovery.errors import SettingsInvalid
from recovery.facts import ServiceFacts, ServiceState

_PROGRAMS = ("postgres", "postmaster")
_MARGIN_SECONDS = 30.0  # beside the time that pg_ctl waits by itself
_STATES: dict[str, ServiceState] = {"ready": "running", "standby": "running", "stopping": "stopping"}
_CLUSTER_STATE = re.compile(r"^Database cluster state: +(.+)$", re.MULTILINE)
_CLUSTER_WRITTEN = re.compile(r"^pg_control last modified: +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class _PidFile:
    """postmaster.pid, as the server writes it: pid, data directory, start, port, socket directory, …, …, state."""

    lines: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> _PidFile:
        """A lock file by its text; that of a socket has the same first lines."""
        return cls(tuple(line.strip() for line in text.splitlines()))

    @property
    def pid(self) -> int | None:
        text = self._line(0).lstrip("-")
        return int(text) if text.isdigit() else None

    @property
    def started_at(self) -> datetime | None:
        text = self._line(2)
        return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else None

    @property
    def socket_lock(self) -> Path | None:
        """The lock file of its Unix socket."""
        port, folder = self._line(3), self._line(4)
        return Path(folder, f".s.PGSQL.{port}.lock") if folder.startswith("/") else None

    @property
    def state(self) -> ServiceState:
        return _STATES.get(self._line(7), "starting")

    def _line(self, number: int) -> str:
        return self.lines[number] if number < len(self.lines) else ""


class PostgresProcess:
    """The server of one data directory."""

    def __init__(
        self, host: Host, bin_dir: Path, data_dir: Path, patience: Patience, *, log_file: Path | None = None
    ) -> None:
        self._host, self._bin_dir, self._data_dir = host, bin_dir, data_dir
        self._patience, self._log_file = patience, log_file
        self._looking = as_root(host)  # sees every user's processes

    @property
    def locator(self) -> str:
        return f"process:{self._data_dir}"

    def read_facts(self) -> ServiceFacts:
        if not read_text(self._host, self._data_dir / "PG_VERSION"):
            raise SettingsInvalid(
                f"{self._data_dir} is no data directory of PostgreSQL: there is no PG_VERSION in it",
                "correct [services], or its prefix if it is on another machine",
            )
        noted, found = self._pid_file(), self._processes()
        postmaster = next((one for one in found if one.pid == noted.pid), None)
        if postmaster is None:
            return self._ended(noted, found)
        state = "paused" if postmaster.frozen else noted.state
        detail = f"frozen by a signal: kill -CONT {postmaster.pid}" if postmaster.frozen else ""
        return ServiceFacts(self.locator, state, since=noted.started_at, pid=postmaster.pid, detail=detail)

    def start(self) -> None:
        facts, complaint = self.read_facts(), ""
        if facts.state == "paused":
            signal_process(self._looking, facts.pid or 0, ["CONT"])
        elif facts.ended:
            complaint = self._pg_ctl_start()
        require_running(self, self._patience.start, complaint=complaint)

    def stop(self) -> None:
        facts = self.read_facts()
        if facts.ended:
            return
        if facts.state == "paused":  # it hears nothing else
            signal_process(self._looking, facts.pid or 0, ["CONT"])
        argv: list[str | Path] = [self._bin_dir / "pg_ctl", "stop", "-w", "-t", f"{self._patience.stop:.0f}"]
        argv += ["-m", "fast", "-D", self._data_dir]
        complaint = act(self._host, argv, seconds=self._patience.stop + _MARGIN_SECONDS)
        hint = f"see what it waits for; harder, with crash recovery at the next start: pg_ctl stop -m immediate -D {self._data_dir}"
        require_stopped(self, self._patience.stop, complaint=complaint, hint=hint)

    def restart(self) -> None:
        self.stop()
        self.start()

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        file = self._log_file or self._collected_log() or self._own_log
        return file_lines(self._host, file, lines, since, setting="log_file of its server")

    @property
    def _own_log(self) -> Path:
        return self._data_dir / "restart.log"

    def _collected_log(self) -> Path | None:
        """The file that the server's own log collector writes to, where it has one."""
        words = read_text(self._host, self._data_dir / "current_logfiles").split("\n", 1)[0].split(" ", 1)
        return self._data_dir / words[1] if len(words) == 2 else None

    def _pid_file(self) -> _PidFile:
        return _PidFile.of(read_text(self._host, self._data_dir / "postmaster.pid"))

    def _processes(self) -> tuple[SeenProcess, ...]:
        return working_in(self._looking, self._data_dir, _PROGRAMS)

    def _ended(self, noted: _PidFile, left: tuple[SeenProcess, ...]) -> ServiceFacts:
        """How it ended, by its control file; and what stands in the way of a start."""
        argv: list[str | Path] = [self._bin_dir / "pg_controldata", "-D", self._data_dir]
        shown = self._host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
        said = _CLUSTER_STATE.search(shown.stdout)
        cluster = said[1] if said else "its control file cannot be read"
        in_order = cluster.startswith("shut down") and not left
        details = [] if in_order else [f"it was not shut down: {cluster}"]
        if noted.pid:
            details.append(f"postmaster.pid names process {noted.pid}, {self._whose(noted.pid)}")
        if left:
            pids = ", ".join(str(one.pid) for one in left)
            details.append(f"its postmaster is gone, and processes {pids} still work in it")
        since = _written(shown.stdout) if in_order else None
        return ServiceFacts(self.locator, "stopped" if in_order else "failed", since=since, detail="; ".join(details))

    def _whose(self, pid: int) -> str:
        seen = see(self._looking, pid)
        if seen is None:
            return "which is gone"
        return "which is a zombie" if seen.state == "Z" else f"which is another program today ({seen.name})"

    def _pg_ctl_start(self) -> str:
        self._forget_stale_lock()
        # `restart` of a server that is down starts it with the options of its last start (Debian's
        # config_file): `start` would forget them. A new data directory has no last start.
        known = exists(self._host, self._data_dir / "postmaster.opts")
        argv: list[str | Path] = [self._bin_dir / "pg_ctl", "restart" if known else "start"]
        argv += ["-w", "-t", f"{self._patience.start:.0f}", "-D", self._data_dir]
        # Its log goes on where it was; pg_ctl would hold our pipes open without a file of its own.
        argv += ["-l", self._log_file or self._own_log]
        return act(self._host, argv, seconds=self._patience.start + _MARGIN_SECONDS, outlives=True)

    def _forget_stale_lock(self) -> None:
        """Remove lock files whose pid is a stranger's or a zombie's: PostgreSQL would take that for the server.

        Only where nobody works in the directory; a pid of nobody's is PostgreSQL's own to see through.
        """
        noted = self._pid_file()
        if not noted.pid or see(self._looking, noted.pid) is None or self._processes():
            return
        locks = [self._data_dir / "postmaster.pid"]
        if noted.socket_lock and _PidFile.of(read_text(self._host, noted.socket_lock)).pid == noted.pid:
            locks.insert(0, noted.socket_lock)
        self._host.run(["rm", "-f", *locks], timeout_seconds=PROMPT_SECONDS)


def _written(shown: str) -> datetime | None:
    """When a control file was written the last time: pg_controldata is asked with TZ=UTC."""
    found = _CLUSTER_WRITTEN.search(shown)
    try:
        return datetime.strptime(found[1].strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
