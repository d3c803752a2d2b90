"""A systemd unit: systemd:postgresql."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from recovery.adapters.local_user import as_root
from recovery.adapters.process import PROMPT_SECONDS, Host, failed
from recovery.adapters.services.log_lines import last_lines
from recovery.adapters.services.reached import Patience, act, require_running, require_stopped
from recovery.adapters.services.several import together
from recovery.errors import GateRefused, RecoveryError, SettingsInvalid
from recovery.facts import ServiceFacts, ServiceState

_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,NRestarts,MainPID,ExecMainStatus,"
    "ActiveEnterTimestamp,StateChangeTimestamp,ConsistsOf,RemainAfterExit"
)
_NO_SYSTEMD = (
    "System has not been booted with systemd",
    "Failed to connect to bus",
    "Failed to connect to system scope",
)


@dataclass(frozen=True)
class _Unit:
    """What `systemctl show` says of one unit."""

    said: dict[str, str]

    @property
    def members(self) -> tuple[str, ...]:
        """The units that are what this one only groups: Debian's postgresql and its postgresql@15-main."""
        return tuple(self.said.get("ConsistsOf", "").split()) if self.said.get("RemainAfterExit") == "yes" else ()

    @property
    def masked(self) -> bool:
        return self.said.get("LoadState") == "masked"

    def facts(self, locator: str) -> ServiceFacts:
        state = _state(self.said["ActiveState"], self.said["SubState"])
        ended = state in ("stopped", "failed", "restarting")
        count = self.said.get("NRestarts", "")  # since systemd 235
        return ServiceFacts(
            locator,
            state,
            since=_moment(self.said.get("StateChangeTimestamp" if ended else "ActiveEnterTimestamp", "")),
            restarts=int(count) if count.isdigit() else None,
            exit_code=int(self.said.get("ExecMainStatus") or 0) if ended else None,
            pid=int(self.said.get("MainPID") or 0) or None,
            detail=self._detail(state),
        )

    def _detail(self, state: ServiceState) -> str:
        how = f"{self.said.get('Result')}, it ended with {self.said.get('ExecMainStatus')}"
        told = {"failed": how, "restarting": f"systemd starts it again after {how}"}.get(state, "")
        if self.said["SubState"] == "exited":
            told = "its program has ended; systemd counts that as running"
        return ", ".join(part for part in (told, "it is masked" if self.masked else "") if part)


class SystemdUnit:
    """One unit, with the units that it groups."""

    def __init__(self, host: Host, unit: str, patience: Patience) -> None:
        # Root may restart a unit, and whom a prefix makes of root may not.
        self._host, self._unit, self._patience = as_root(host), unit, patience

    @property
    def locator(self) -> str:
        return f"systemd:{self._unit}"

    def read_facts(self) -> ServiceFacts:
        unit = self._show(self._unit)
        if not unit.members:
            return unit.facts(self.locator)
        return together(self.locator, [self._show(name).facts(self.locator) for name in unit.members])

    def start(self) -> None:
        unit, facts = self._show(self._unit), self.read_facts()
        self._refuse_masked(unit)
        if facts.state == "failed":
            self._act("reset-failed", unit)  # one that failed too often is started by nobody before that
        # Of a group that counts as active systemd starts nothing: its members are named.
        complaint = self._act("start", unit) if facts.ended or facts.healthy is False else ""
        self._require_running(complaint)

    def stop(self) -> None:
        if self.read_facts().ended:
            return
        complaint = self._act("stop", self._show(self._unit))
        require_stopped(self, self._patience.stop, complaint=complaint)

    def restart(self) -> None:
        unit, before = self._show(self._unit), self.read_facts()
        self._refuse_masked(unit)
        if before.state == "failed":
            self._act("reset-failed", unit)
        complaint = self._act("restart", unit)
        self._require_running(complaint, before)

    def read_log(self, *, lines: int, since: datetime | None = None) -> str:
        moment = ["--since", since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")] if since else []
        names = self._names(self._show(self._unit))
        units = [word for name in names for word in ("-u", name)]
        argv = ["journalctl", *units, "-n", str(lines), "-o", "short-iso", "--no-pager", *moment]
        told = self._host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
        if "Hint: You are currently not seeing messages" in told.stderr:
            raise SettingsInvalid(
                "this user may not read the journal", "add it to group systemd-journal, or use a prefix such as sudo"
            )
        if told.status:
            raise failed(argv, told)
        return last_lines(told.stdout.replace("-- No entries --\n", ""), lines)

    def _show(self, unit: str) -> _Unit:
        """What systemd says of a unit.

        Raises: SettingsInvalid when there is no such unit, or no systemd.
        """
        argv = ["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", unit]
        told = self._host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
        if told.status:
            raise self._error(argv, told.stderr) or failed(argv, told)
        said = dict(line.split("=", 1) for line in told.stdout.split("\n") if "=" in line)
        if said.get("LoadState") == "not-found" or "ActiveState" not in said:
            raise SettingsInvalid(
                f"systemd knows no unit {unit}",
                "see which there are: systemctl list-units --all; then correct [services]",
            )
        return _Unit(said)

    def _error(self, argv: Sequence[str], said: str) -> RecoveryError | None:
        if any(text in said for text in _NO_SYSTEMD):
            return SettingsInvalid(
                "systemd does not run where systemctl is asked",
                "name what plays this role in [services], or its prefix",
            )
        return None

    def _refuse_masked(self, unit: _Unit) -> None:
        if unit.masked:
            raise GateRefused(
                f"{self._unit} is masked: somebody has forbidden that it is started",
                f"if that is over: systemctl unmask {self._unit}",
            )

    def _names(self, unit: _Unit) -> list[str]:
        return [self._unit, *unit.members]

    def _act(self, what: str, unit: _Unit) -> str:
        seconds = self._patience.stop + self._patience.start
        return act(self._host, ["systemctl", "--no-ask-password", what, *self._names(unit)], seconds=seconds)

    def _require_running(self, complaint: str, other_than: ServiceFacts | None = None) -> None:
        # Type=simple counts as started before the program has done anything.
        seconds, steady = self._patience.start, self._patience.steady
        require_running(self, seconds, other_than=other_than, steady_seconds=steady, complaint=complaint)


def _state(active: str, sub: str) -> ServiceState:
    if "auto-restart" in sub:
        return "restarting"
    states: dict[str, ServiceState] = {
        "active": "running",
        "reloading": "running",
        "refreshing": "running",
        "activating": "starting",
        "deactivating": "stopping",
        "inactive": "stopped",
    }
    return states.get(active, "failed")


def _moment(text: str) -> datetime | None:
    """A time stamp of systemctl, which is asked with TZ=UTC."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None
