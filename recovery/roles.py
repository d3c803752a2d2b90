"""What a step may ask of each role. The site's settings say which product plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from recovery.catalog import Catalog
from recovery.expectation import Expectation
from recovery.facts import CheckReport, CheckResult, DatabaseAddress


class Evidence(Protocol):
    """A place that outlives this machine."""

    def keep_folder(self, folder: Path, name: str) -> None:
        """Copy all files of a folder there."""

    def keep(self, name: str, content: bytes) -> None:
        """Write one document."""

    def read(self, name: str) -> bytes | None:
        """One document, or None."""


class DataChecks(Protocol):
    """Looks at what a database holds."""

    def warm_up(self) -> None:
        """Get ready in the background; returns at once."""

    def run(self, address: DatabaseAddress, suite: tuple[Expectation, ...]) -> CheckReport:
        """Look at every expectation of a suite."""

    def close(self) -> None:
        """Let go of whatever was made ready."""


class Inspection(Protocol):
    """Looks at what a database says of itself, and at its files."""

    def read_catalog(self, address: DatabaseAddress) -> Catalog:
        """Tables, keys and constraints."""

    def check_files(self, address: DatabaseAddress, catalog: Catalog, *, copy: bool) -> tuple[CheckResult, ...]:
        """Look for damaged tables and indexes. `copy`: it is a restored copy of ours, not a live server."""
