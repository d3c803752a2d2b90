"""The runs in the server, kept true: a run whose process is gone is Crashed, not Running for ever.

Prefect has no service for this; a run left Running would also hold its deployment's only slot.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from deployments.outcomes import process_of, told_outcome
from deployments.place import WORK_POOL, Place
from deployments.processes import began_before, flow_run_processes
from recovery.server_address import MARK_HEADER, answers
from recovery.waiting import wait_until

_ANSWER_SECONDS = 30.0  # a busy machine; who asks in a round asks again in a few seconds
COMMAND_TAG = "command"
_BEGIN_SECONDS = 60.0  # how long a run may take from the worker's hand to its first state
_UNFINISHED = ["RUNNING", "PENDING", "PAUSED", "CANCELLING"]
_ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]

log = logging.getLogger("recovery.serve")


@dataclass
class FlowRuns:
    """The server's API as far as `recover serve` itself needs it; Prefect is not imported for it."""

    place: Place
    mark: str = ""

    def answers(self) -> bool:
        """Whether our server is there, and healthy."""
        return answers(self.place.url, self.mark)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request. Raises httpx.HTTPError, also when it is not our server that answers."""
        user, _, password = (self.place.password or "").partition(":")
        answer = httpx.request(
            method,
            f"{self.place.url}/api{path}",
            json=body,
            auth=(user, password) if user else None,
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        )
        if answer.headers.get(MARK_HEADER, "") != self.mark:
            raise httpx.TransportError(f"another server answers at {self.place.url}")
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def crash_the_dead(self, *, at_once: bool = False) -> int:
        """Set every run to Crashed whose process is gone, and what it had called with it.

        A run that never began is scheduled again. An unreachable server is left alone: this is tried again in a few seconds.
        """
        try:
            unfinished = self._unfinished()
            self._stop_cancelled_commands(unfinished)
            carried = flow_run_processes(self.place.home)
            dead = [
                run
                for run in unfinished
                if _is_ours(run)
                and _is_here(run)
                and run["id"] not in carried
                and not _command_goes_on(run)
                and (at_once or _is_due(run))
            ]
            settled = sum(self._settle(run) for run in dead)
            called = [run for run in unfinished if _is_called(run)]
            return settled + sum(self._settle(run) for run in called if self._caller_has_ended(run))
        except (httpx.HTTPError, OSError) as error:  # OSError: /proc could not be read
            log.warning("runs not looked after just now: %s", error)
            return 0

    def _stop_cancelled_commands(self, unfinished: list[dict[str, Any]]) -> None:
        """Stop the command whose run somebody cancels in the UI: no worker carries it, so no worker would.

        Whose process that is, its journal must say, too: whoever may create a run may claim any process.
        """
        for run in unfinished:
            if run["state"]["type"] != "CANCELLING" or not _is_here(run) or not _command_goes_on(run):
                continue
            pid = process_of(self.place.state_dir / "runs", run["id"])
            if pid != _pid(run):
                continue  # nor has its journal begun: the next round comes in a few seconds
            try:
                _signal(pid, signal.SIGTERM)
            except PermissionError:
                log.warning("run %s is another user's command and goes on: stop process %d", run["name"], pid)

    def _unfinished(self) -> list[dict[str, Any]]:
        wanted = {"flow_runs": {"state": {"type": {"any_": _UNFINISHED}}}, "limit": 200}
        runs: list[dict[str, Any]] = self.ask("POST", "/flow_runs/filter", wanted)
        return [run for run in runs if run["state"]["name"] != "Suspended"]

    def _caller_has_ended(self, run: dict[str, Any]) -> bool:
        """Whether the run that called this one is over: both live in one process."""
        call = self.ask("GET", f"/task_runs/{run['parent_task_run_id']}")
        return self.ask("GET", f"/flow_runs/{call['flow_run_id']}")["state_type"] in _ENDED

    def _settle(self, run: dict[str, Any]) -> bool:
        """Look once more, because it may have ended by itself just now; then set its state."""
        now = self.ask("GET", f"/flow_runs/{run['id']}")
        if now["state"]["id"] != run["state"]["id"]:
            return False
        if _is_called(now):
            state = {"type": "CRASHED", "message": "the run that called it is over, and its process gone with it"}
        elif now["state"]["type"] == "PENDING" and not now["infrastructure_pid"] and COMMAND_TAG not in now["tags"]:
            state = {"type": "SCHEDULED", "message": "its worker ended before the run began; it is started again"}
        elif now["state"]["type"] == "CANCELLING":
            state = {"type": "CANCELLED", "message": "its process is gone"}
        else:
            state = self._end_of(run["id"])
        self.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
        log.warning("run %s: %s", run["name"], state["message"])
        return True

    def _end_of(self, run_id: str) -> dict[str, str]:
        """The state of a run whose process is gone: what its journal tells, when only the server did not hear its end."""
        state, error = told_outcome(self.place.state_dir / "runs", run_id)
        if not state:
            return {"type": "CRASHED", "message": "its process is gone: killed, out of memory, or the machine stopped"}
        return {"type": state, "message": error or "it ended while the server did not hear it; its journal tells"}


def end_flow_run_processes(place: Place, seconds: float) -> int:
    """Ask every run to end and wait for it; what is left after that is killed."""
    processes = flow_run_processes(place.home)
    for pid in processes.values():
        _signal(pid, signal.SIGTERM)
    if not wait_until(lambda: not flow_run_processes(place.home), seconds, pause=0.2):
        for pid in flow_run_processes(place.home).values():
            _signal(pid, signal.SIGKILL)
        wait_until(lambda: not flow_run_processes(place.home), 5.0)
    return len(processes)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, number)


def _is_ours(run: dict[str, Any]) -> bool:
    """Whether our worker or a command carries it by itself; a subflow goes with the run that called it."""
    return run["work_pool_name"] == WORK_POOL or (COMMAND_TAG in run["tags"] and not run["parent_task_run_id"])


def _is_called(run: dict[str, Any]) -> bool:
    """Whether it is a subflow, in the process of the run that called it: one with a worker has its own."""
    return run["parent_task_run_id"] is not None and run["work_pool_name"] is None


def _command_goes_on(run: dict[str, Any]) -> bool:
    """Whether it is a command's, and its process lives."""
    if COMMAND_TAG not in run["tags"] or not run["infrastructure_pid"]:
        return False
    created = datetime.fromisoformat(run["created"])
    return began_before(_pid(run), created.timestamp())


def _pid(run: dict[str, Any]) -> int:
    """The process that a command's run claims to be carried by; 0 for what names none."""
    claimed = run["infrastructure_pid"].rpartition(":")[2]
    return int(claimed) if claimed.isdecimal() else 0


def _is_here(run: dict[str, Any]) -> bool:
    """Whether it runs on this machine."""
    place = run["infrastructure_pid"]
    return place is None or place.rpartition(":")[0] in ("", socket.gethostname())


def _is_due(run: dict[str, Any]) -> bool:
    """Whether it had time enough to have a process."""
    if run["infrastructure_pid"] and run["state"]["type"] != "PENDING":
        return True
    age = datetime.now(UTC) - datetime.fromisoformat(run["state"]["timestamp"])
    return age.total_seconds() > _BEGIN_SECONDS
