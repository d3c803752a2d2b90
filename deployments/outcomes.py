"""How a run ended, as its journal tells it: true also of one whose end the server did not hear."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from deployments.processes import began_before
from recovery.journal import Journal

_NEWEST = 200  # a run whose end was not heard is looked after within minutes, or when the server is back


def outcome(last: dict[str, Any]) -> tuple[str, str]:
    """The state and the message that the last entry of a journal stands for; no state when the run had not ended."""
    match last.get("event"):
        case "run done":
            return "COMPLETED", ""
        case "run failed":
            error = str(last.get("error", ""))
            return "CANCELLED" if error.startswith("Stopped: ") else "FAILED", error
        case _:
            return "", ""


def told_outcome(runs_dir: Path, flow_run_id: str) -> tuple[str, str]:
    """The same for the run that Prefect knows by this id; no state when no journal tells of it."""
    entries = _entries_of(runs_dir, flow_run_id)
    return outcome(entries[-1]) if entries else ("", "")


def process_of(runs_dir: Path, flow_run_id: str) -> int | None:
    """The process that carries this run, by the run's own journal; None when no journal tells, or it is gone.

    What the server knows of it, anybody may have told it who may create a run there.
    """
    entries = _entries_of(runs_dir, flow_run_id)
    if not entries or outcome(entries[-1])[0]:
        return None
    pid, begin = entries[0].get("pid"), datetime.fromisoformat(entries[0]["at"])
    return pid if isinstance(pid, int) and pid > 0 and began_before(pid, begin.timestamp()) else None


def _entries_of(runs_dir: Path, flow_run_id: str) -> list[dict[str, Any]]:
    """The journal of this run; nothing when there is none."""
    for folder in sorted(runs_dir.iterdir(), reverse=True)[:_NEWEST] if runs_dir.is_dir() else ():
        entries = Journal(folder.name, folder).entries()
        if entries and entries[0].get("event") == "run begin" and entries[0].get("flow_run_id") == flow_run_id:
            return entries
    return []
