"""What a step may ask of each role. The site's settings say which product plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from recovery.facts import CheckReport, DatabaseAddress, RecordedFacts


class Evidence(Protocol):
    """A place that outlives this machine."""

    def keep_folder(self, folder: Path, name: str) -> None:
        """Copy all files of a folder there."""

    def keep(self, name: str, content: bytes) -> None:
        """Write one document."""

    def read(self, name: str) -> bytes | None:
        """One document, or None."""


class DataChecks(Protocol):
    """Runs the validation suites against one database."""

    def warm_up(self) -> None:
        """Get ready in the background; returns at once."""

    def run(self, address: DatabaseAddress, recorded: RecordedFacts | None, *, exact: bool) -> CheckReport:
        """Check a database. `exact`: the recorded row counts must be met to the row."""

    def close(self) -> None:
        """Let go of whatever was made ready."""
