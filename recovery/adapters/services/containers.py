"""The docker command line on a host: what it says of containers, in facts and log lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.adapters.local_user import as_root
from recovery.adapters.process import PROMPT_SECONDS, Completed, Host, failed
from recovery.adapters.services.log_lines import last_lines
from recovery.adapters.services.reached import KILLED, act
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.facts import ServiceFacts, ServiceState

_PROGRAMS = ("docker", "docker-compose")
_MARGIN_SECONDS = 30.0  # beside the time that the container itself gets
_TERMINATED = 143
_UNREACHED = (
    "Cannot connect to the Docker daemon",
    "Couldn't connect to Docker daemon",
    "error during connect",
    "Error while fetching server API version",  # docker-compose 1
)


def outside(host: Host) -> Host:
    """Where docker itself is asked: outside of the container that a prefix may lead into, as root where we are root."""
    words = [Path(word).name for word in host.prefix]
    cut = next((place for place, word in enumerate(words) if word in _PROGRAMS), len(words))
    return as_root(Host(host.prefix[:cut]))


class Containers:
    """Containers on one host, by id or name."""

    def __init__(self, host: Host) -> None:
        self.host = outside(host)

    def read(self, names: Sequence[str], locator: str) -> tuple[ServiceFacts, ...]:
        """Each container as dockerd describes it.

        Raises: SettingsInvalid when there is none of this name; TargetUnreachable without dockerd.
        """
        told = self.ask(["docker", "container", "inspect", *names])
        return tuple(container_facts(one, locator) for one in json.loads(told.stdout))

    def ask(self, argv: Sequence[str | Path]) -> Completed:
        """What docker answers; a refusal is an error."""
        told = self.host.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
        if told.status:
            raise self._error(argv, told)
        return told

    def act(self, argv: Sequence[str], *, seconds: float) -> str:
        """Have docker do something; returns its complaint, or nothing."""
        return act(self.host, argv, seconds=seconds + _MARGIN_SECONDS)

    def log(self, names: Sequence[str], lines: int, since: datetime | None) -> str:
        """The last lines of these containers in the order in which they were written, each with its moment.

        dockerd keeps standard output and errors apart; by their moments they are one log again.
        """
        moment = ["--since", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")] if since else []
        found: list[str] = []
        for name in names:
            told = self.ask(["docker", "logs", "--timestamps", "--tail", str(lines), *moment, name])
            found += [line for text in (told.stdout, told.stderr) for line in text.split("\n") if line]
        return last_lines("\n".join(sorted(found, key=lambda line: line.split(" ", 1)[0])), lines)

    def _error(self, argv: Sequence[str | Path], told: Completed) -> RecoveryError:
        said = told.last_lines.splitlines()[-1:] or [""]
        if any(text in told.stderr for text in _UNREACHED):
            return TargetUnreachable(f"dockerd does not answer: {said[0]}", "systemctl start docker, on that machine")
        if "permission denied" in told.stderr and "socket" in told.stderr:
            return SettingsInvalid(
                "this user may not ask dockerd",
                "run this as root, or with a prefix such as sudo in [services.prefixes]",
            )
        if "no such container" in told.stderr.lower():
            return SettingsInvalid(said[0], "see which there are: docker ps --all; then correct [services]")
        if "no such service" in told.stderr.lower():
            return SettingsInvalid(said[0], "see which there are in the compose file; then correct [services]")
        return failed(argv, told)


def container_facts(container: dict[str, Any], locator: str) -> ServiceFacts:
    """A container of `docker container inspect` as facts."""
    state = container["State"]
    health = state.get("Health") or {}
    status = health.get("Status", "none")
    found, detail = _state(state, status, container.get("RestartCount", 0))
    ended = found in ("stopped", "failed", "restarting")
    return ServiceFacts(
        locator,
        found,
        since=_moment(state["FinishedAt"] if ended else state["StartedAt"]),
        restarts=container.get("RestartCount"),
        exit_code=state["ExitCode"] if ended and _moment(state["FinishedAt"]) else None,
        pid=state["Pid"] or None,
        healthy={"healthy": True, "unhealthy": False}.get(status) if found == "running" else None,
        detail=", ".join(part for part in (detail, _complaint(health, status)) if part),
    )


def _state(state: dict[str, Any], health: str, restarts: int) -> tuple[ServiceState, str]:
    code, said = state["ExitCode"], state.get("Error", "")
    match state["Status"]:
        case "running":
            again = f"dockerd started it again {restarts} times" if restarts else ""
            return ("starting", "its health check has not passed yet") if health == "starting" else ("running", again)
        case "restarting":
            return "restarting", f"dockerd started it again {restarts} times; it ended with {code} the last time"
        case "paused":
            return "paused", "frozen by docker pause"
        case "created" if not said and not code:
            return "stopped", "it was never started"
        case "removing":
            return "stopping", "it is being removed"
        case "exited" if code in (0, _TERMINATED) and not said:
            return "stopped", ""
    if state.get("OOMKilled"):
        return "failed", "it was killed: out of memory"
    how = "it was killed (SIGKILL)" if code == KILLED else f"it ended with {code}"
    return "failed", said or how


def _complaint(health: dict[str, Any], status: str) -> str:
    if status != "unhealthy":
        return ""
    told = (health.get("Log") or [{}])[-1].get("Output", "").strip().splitlines()
    return "its health check fails" + (f": {told[-1][:200]}" if told else "")


def _moment(text: str) -> datetime | None:
    return None if text.startswith("0001-") else datetime.fromisoformat(text)
