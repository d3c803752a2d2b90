"""The incident that this run belongs to: what is noted goes to disk first, and into the bucket beside the run."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from recovery.errors import RecoveryError
from recovery.incident import IncidentFolder
from recovery.journal import Journal, current_journal
from tasks.incident_copies import IncidentCopies
from tasks.step import warn


@dataclass
class IncidentRun:
    """One run's part in an incident."""

    folder: IncidentFolder
    journal: Journal | None
    copies: IncidentCopies
    told: set[str] = field(default_factory=set)
    bucket_is_silent: bool = False

    @property
    def name(self) -> str:
        """What the run's evidence is filed under."""
        return self.journal.run_id if self.journal else "by-hand"

    def note(self, event: str, *, by: str = "", **details: Any) -> None:
        """Add an event. What cannot be noted is a warning: the recovery comes first."""
        try:
            self.folder.note(event, by=by, **details)
            self.copy(self.folder.events_file)
        except (OSError, RecoveryError) as error:
            self.warn_once("disk", f"incident {self.folder.id}: “{event}” was not noted: {_problem(error)}")

    def copy(self, file: Path) -> None:
        """Have a file in the bucket, too; that it does not get there is said once."""
        self.copies.copy(file)
        if trouble := self.copies.trouble:
            self._warn_of_bucket(trouble)

    def finish_copies(self) -> None:
        """Give the last copies some seconds."""
        if trouble := self.copies.finish():
            self._warn_of_bucket(trouble)

    def warn_once(self, about: str, message: str) -> None:
        """Say something once in this run."""
        if about not in self.told:
            self.told.add(about)
            warn(message)

    def _warn_of_bucket(self, trouble: str) -> None:
        self.warn_once("bucket", f"incident {self.folder.id} is noted on this machine only for now: {trouble}")


_current: ContextVar[IncidentRun | None] = ContextVar("incident", default=None)

# How this run came to hold the site: it does so before it knows whether there is anything to open an incident for.
SITE_HELD: ContextVar[dict[str, Any] | None] = ContextVar("site_held", default=None)


def current() -> IncidentRun | None:
    """The incident of this run. What an earlier run of this process had open is none of ours."""
    run = _current.get()
    return run if run and run.journal is current_journal() else None


def enter(run: IncidentRun) -> None:
    """From now on this run belongs to this incident."""
    _current.set(run)


def moment_text(at: datetime | None) -> str | None:
    """A moment as an event holds it."""
    return at.isoformat() if at else None


def _problem(error: Exception) -> str:
    return error.problem if isinstance(error, RecoveryError) else str(error)
