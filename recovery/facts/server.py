"""A running server: what it is, how it is reached, and what would be changed on it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class ServerFacts:
    """One running PostgreSQL server."""

    version: int
    system_identifier: str
    timeline: int
    in_recovery: bool
    current_lsn: int
    segment_bytes: int
    now: datetime
    data_dir: str
    data_checksums: bool
    database_bytes: int  # of all its databases
    settings: dict[str, str]
    archived_count: int = 0
    archive_failures: int = 0
    last_archived_wal: str | None = None
    last_archived_at: datetime | None = None
    last_archive_failure_at: datetime | None = None
    heartbeat_at: datetime | None = None
    segments_in_pg_wal: tuple[str, ...] = ()
    segments_waiting: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatabaseAddress:
    """How one database is reached: `host` is an address or the directory of a Unix socket.

    Without a name the server is meant: it is looked at through a database that every server has.
    `bare`: a restored copy's, as its superuser: the session preloads nothing that the source's settings name.
    """

    host: str
    port: int
    name: str
    user: str
    password: str | None = field(default=None, repr=False)
    bare: bool = field(default=False, repr=False)

    @property
    def shown(self) -> str:
        """As a person is told of it."""
        where = f"{self.host}:{self.port}"
        return f"{self.name} on {where}" if self.name else f"the server on {where}"

    @property
    def psql(self) -> str:
        """The command that goes there, as a shell takes it."""
        # A name with = would be read as a list of parameters.
        name = self.name or "postgres"
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        name = f"dbname='{escaped}'" if re.search(r"=|^postgres(ql)?://", name) else name
        return shlex.join(["psql", "-h", self.host, "-p", str(self.port), "-U", self.user, "-d", name])


@dataclass(frozen=True)
class Change:
    """Something that is not as it should be on a site, and what would be done."""

    what: str
    why: str
    needs_restart: bool = False


@dataclass(frozen=True)
class Observation:
    """Something seen on a site that it is not our place to change; `advice` is empty when all is well."""

    what: str
    found: str
    advice: str = ""
