"""One setting of a PostgreSQL server."""

from __future__ import annotations

from dataclasses import dataclass

_DISABLED = "(disabled)"  # what archive_command shows while archive_mode is off


@dataclass(frozen=True)
class ServerSetting:
    """A setting as the server uses it, and as its files have it (what a restart puts into effect)."""

    name: str
    value: str
    needs_restart: bool
    source: str
    configured: str

    @property
    def in_use(self) -> bool:
        return self.value != _DISABLED

    @property
    def ours_to_set(self) -> bool:
        """Whether ALTER SYSTEM has an effect on it."""
        return self.source not in ("command line", "environment variable")
