"""Runs made straight from a shell, without the server, shown in it afterwards.

Each left a journal. It becomes a finished flow run of its deployment with the same name, parameters, times, state and
log lines; a file `imported` beside the journal holds the id that it got. Runs made inside Prefect
note their flow run's id in their first entry and are passed over.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deployments.flow_runs import FlowRuns
from deployments.outcomes import outcome
from deployments.own_postgres import OwnPostgres
from deployments.processes import began_before
from recovery.adapters.postgres.connection import connect
from recovery.errors import RecoveryError
from recovery.journal import Journal
from recovery.ownership import open_ours

_AT_MOST = 50  # in one round, so that a long history does not hold up the watch
_LOGS_AT_ONCE = 200
_CHANGE_SECONDS = 30.0
_TAG = "without-server"
_LEVELS = {"warning": 30, "failed": 40, "run failed": 40}
_UNTOLD = ("progress",)

log = logging.getLogger("recovery.serve")


@dataclass(frozen=True)
class PastRun:
    """A run as its journal tells it."""

    run_id: str
    name: str
    flow: str
    parameters: dict[str, Any]
    begin: datetime
    end: datetime
    state: str
    message: str
    entries: tuple[dict[str, Any], ...]


def import_past_runs(flow_runs: FlowRuns, postgres: OwnPostgres, runs_dir: Path) -> int:
    """Show what was run without the server; returns how many runs were added."""
    count = 0
    for folder in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else ():
        if count == _AT_MOST or (folder / "imported").exists():
            continue
        try:
            run = read_past_run(folder)
            if run is None:
                continue
            _note_imported(folder, _add(flow_runs, postgres, run))
        except (httpx.HTTPError, RecoveryError, OSError) as error:
            log.warning("run %s is not shown in the UI yet: %s", folder.name, error)
            if isinstance(error, httpx.TransportError):
                break  # the server is busy or away; the next round comes in a minute
        count += 1
    return count


def read_past_run(folder: Path) -> PastRun | None:
    """The finished run in this folder; None when it goes on, or when Prefect knows it already."""
    entries = Journal(folder.name, folder).entries()
    first = entries[0] if entries else {}
    if first.get("event") != "run begin":
        return None
    if known := first.get("flow_run_id"):
        _note_imported(folder, str(known))  # Prefect made it: not to be read again every minute
        return None
    begin, last = datetime.fromisoformat(first["at"]), entries[-1]
    state, message = outcome(last)
    if not state and _goes_on(first, begin):
        return None
    told = {"COMPLETED": "run without the server", "": "its process was gone before it ended (run without the server)"}
    return PastRun(
        run_id=folder.name,
        name=str(first.get("name") or folder.name),
        flow=str(first["runbook"]).replace("_", "-"),
        parameters=first.get("parameters", {}),
        begin=begin,
        end=datetime.fromisoformat(last["at"]),
        state=state or "CRASHED",
        message=told.get(state, message),
        entries=tuple(entries),
    )


def _note_imported(folder: Path, flow_run_id: str) -> None:
    with open_ours(folder / "imported", "w") as out:
        out.write(flow_run_id)


def _goes_on(first: dict[str, Any], begin: datetime) -> bool:
    return began_before(int(first.get("pid", 0)), begin.timestamp())


def _add(flow_runs: FlowRuns, postgres: OwnPostgres, run: PastRun) -> str:
    """Create the flow run; when that was cut short, go on where it stopped."""
    flow = flow_runs.ask("POST", "/flows/", {"name": run.flow})
    created = flow_runs.ask(
        "POST",
        "/flow_runs/",
        {
            "flow_id": flow["id"],
            "name": run.name,
            "parameters": run.parameters,
            "tags": [_TAG],
            "idempotency_key": f"journal:{run.run_id}",
            "state": {"type": "PENDING"},
        },
    )
    reached = created["state"]["type"]
    if reached == "PENDING":
        _set_state(flow_runs, created["id"], "RUNNING", "")
    if reached in ("PENDING", "RUNNING"):
        lines = [_line(entry, created["id"]) for entry in run.entries if entry["event"] not in _UNTOLD]
        for first in range(0, len(lines), _LOGS_AT_ONCE):
            flow_runs.ask("POST", "/logs/", lines[first : first + _LOGS_AT_ONCE])
        _set_state(flow_runs, created["id"], run.state, f"{run.message}; its journal: {run.run_id}".removeprefix("; "))
    _set_times(postgres, created["id"], run)
    return str(created["id"])


def _set_state(flow_runs: FlowRuns, flow_run_id: str, state: str, message: str) -> None:
    body = {"state": {"type": state, "message": message}, "force": True}
    flow_runs.ask("POST", f"/flow_runs/{flow_run_id}/set_state", body)


def _line(entry: dict[str, Any], flow_run_id: str) -> dict[str, Any]:
    details = {key: value for key, value in entry.items() if key not in ("at", "run", "event", "message", "step")}
    words = [entry["event"], str(entry.get("step", entry.get("message", "")))]
    if details:
        words.append(json.dumps(details, default=str))
    return {
        "name": "journal",
        "level": _LEVELS.get(entry["event"], 20),
        "message": " · ".join(word for word in words if word),
        "timestamp": entry["at"],
        "flow_run_id": flow_run_id,
    }


def _set_times(postgres: OwnPostgres, flow_run_id: str, run: PastRun) -> None:
    """Give the run its true times and its deployment: the API only knows now, but the database is ours."""
    instant = timedelta(milliseconds=1)  # no two states of a run may have the same moment
    end = max(run.end, run.begin + instant)
    times = {"before": run.begin - instant, "begin": run.begin, "end": end, "total": end - run.begin}
    times |= {"id": flow_run_id, "flow": run.flow}
    with connect(postgres.address, statement_seconds=_CHANGE_SECONDS, autocommit=False) as connection:
        connection.execute(
            "UPDATE flow_run SET start_time = %(begin)s, end_time = %(end)s, state_timestamp = %(end)s,"
            " expected_start_time = %(begin)s, total_run_time = %(total)s,"
            # Not when it was created: its end would free a slot that it never had.
            " deployment_id = (SELECT id FROM deployment d WHERE d.flow_id = flow_run.flow_id AND d.name = %(flow)s)"
            " WHERE id = %(id)s::uuid",
            times,
        )
        connection.execute(
            "UPDATE flow_run_state SET timestamp = CASE type::text WHEN 'PENDING' THEN %(before)s::timestamptz"
            " WHEN 'RUNNING' THEN %(begin)s::timestamptz ELSE %(end)s::timestamptz END"
            " WHERE flow_run_id = %(id)s::uuid",
            times,
        )
