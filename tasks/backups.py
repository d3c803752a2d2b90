"""Backups and the WAL archive, step by step."""

from __future__ import annotations

from recovery.facts import ServerFacts
from recovery.site import site
from tasks.step import probe


@probe
def read_server() -> ServerFacts:
    """Read what the primary is and where it stands."""
    return site().primary.read_facts()
