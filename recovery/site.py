"""From the settings to this site's adapters: the one place that knows which product plays which role."""

from __future__ import annotations

import functools
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from recovery.redaction import remember_names
from recovery.settings import Settings, load_settings
from recovery.settings.walk import names_in

if TYPE_CHECKING:
    from recovery.adapters.application import Application
    from recovery.adapters.pgbackrest.copies import RestoredCopies
    from recovery.adapters.process import Host
    from recovery.adapters.redis_server import RedisServer
    from recovery.adapters.s3 import DocumentBucket
    from recovery.adapters.secrets import Secrets
    from recovery.adapters.site_lease import SiteLease
    from recovery.facts import DatabaseAddress
    from recovery.roles import BackupStore, Database, DataChecks, Documents, Inspection, Service, Workloads
    from recovery.settings.services import Role


class Site:
    """One ClickView site. Adapters are imported when they are first asked for: commands start fast."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        remember_names(names_in(settings))

    @property
    def runs_dir(self) -> Path:
        """Where the journals of this site's runs are."""
        return self.settings.site.state_dir / "runs"

    @property
    def incidents_dir(self) -> Path:
        """Where the records of this site's incidents are."""
        return self.settings.site.state_dir / "incidents"

    @cached_property
    def secrets(self) -> Secrets:
        from recovery.adapters.secrets import Secrets

        return Secrets(self.settings.aws)

    @cached_property
    def host(self) -> Host:
        """Where the primary's commands run."""
        from recovery.adapters.local_user import needed_prefix
        from recovery.adapters.process import Host

        return Host(needed_prefix(self.settings.database.command_prefix))

    @cached_property
    def primary(self) -> Database:
        """The primary, seen by its superuser over its socket."""
        from recovery.adapters.postgres.server import PostgresServer

        return PostgresServer(self.admin_address(self.settings.database.name))

    @cached_property
    def backups(self) -> BackupStore:
        from recovery.adapters.pgbackrest.store import PgBackRest

        return PgBackRest(self.settings, self.host, self.secrets)

    def service(self, role: Role) -> Service:
        """What plays a role, to be looked at, started and stopped."""
        from recovery.adapters.services import Means, locate_service

        return locate_service(self.settings, role, Means(lambda: self.workloads, self.secrets.reveal))

    @cached_property
    def evidence(self) -> Documents:
        return self._evidence("")

    def incident_documents(self, incident: str = "") -> Documents:
        """Where the record of an incident, or of all, outlives this machine."""
        return self._evidence(f"/incidents/{incident}".rstrip("/"))

    @cached_property
    def lease(self) -> SiteLease:
        """Who may recover this site now: beside the evidence."""
        from recovery.adapters.site_lease import SiteLease

        return SiteLease(self._evidence("", patient=False), self.settings.site.name)

    def _evidence(self, below: str, *, patient: bool = True) -> DocumentBucket:
        from recovery.adapters.s3 import DocumentBucket

        settings = self.settings
        repo = next(
            (r for r in settings.backup.repos if r.bucket == settings.evidence_bucket), settings.backup.repos[-1]
        )
        prefix = f"{settings.evidence.prefix}{below}"
        return DocumentBucket(repo, settings.evidence_bucket, prefix, self.secrets, patient=patient)

    def records(self, repo: int) -> Documents:
        """Where the records of a repository's sets are: in its own bucket, so that they are there when it is."""
        from recovery.adapters.s3 import DocumentBucket

        backup = self.settings.backup
        known = backup.repos[repo - 1]
        return DocumentBucket(
            known, known.bucket, f"recovery-records/{known.path.strip('/')}/{backup.stanza}", self.secrets
        )

    @cached_property
    def data_checks(self) -> DataChecks:
        from recovery.adapters.expectations.checker import GreatExpectations

        return GreatExpectations(self.settings)

    @cached_property
    def inspection(self) -> Inspection:
        from recovery.adapters.postgres.inspection import PostgresInspection

        return PostgresInspection(self.settings, self.host)

    @cached_property
    def copies(self) -> RestoredCopies:
        from recovery.adapters.pgbackrest.copies import RestoredCopies

        return RestoredCopies(self.settings, self.host, self.secrets)

    @cached_property
    def application(self) -> Application:
        from recovery.adapters.application import Application

        return Application(self.settings.application)

    @cached_property
    def cache(self) -> RedisServer:
        from recovery.adapters.redis_server import RedisServer

        return RedisServer(self.settings.redis, self.secrets.reveal(self.settings.redis.password))

    @cached_property
    def workloads(self) -> Workloads:
        """What runs the application."""
        from checks.rollout import judge_rollout
        from recovery.adapters.kubernetes.workloads import KubernetesWorkloads

        return KubernetesWorkloads(self.settings.kubernetes, judge_rollout)

    def standby_address(self) -> DatabaseAddress:
        """The standby as the backups see it: this role may pause and resume its replay."""
        return self._on_standby(self.backup_address(""))

    def standby_reader_address(self) -> DatabaseAddress:
        """The standby as the data checks see it."""
        return self._on_standby(self.reader_address())

    def _on_standby(self, address: DatabaseAddress) -> DatabaseAddress:
        from dataclasses import replace

        standby = self.settings.standby
        return replace(address, host=standby.host, port=standby.port) if standby else address

    def reader_address(self, database: str | None = None) -> DatabaseAddress:
        """The site's database (or another one on its server) as the data checks see it."""
        from recovery.facts import DatabaseAddress

        settings = self.settings.database
        return DatabaseAddress(
            settings.host,
            settings.port,
            database or settings.name,
            settings.reader_user,
            self.secrets.reveal(settings.reader_password),
        )

    def admin_address(self, database: str = "") -> DatabaseAddress:
        """The primary as its superuser sees it, over its socket; without a database the server itself."""
        from recovery.facts import DatabaseAddress

        settings = self.settings.database
        return DatabaseAddress(
            str(settings.socket_dir),
            settings.port,
            database,
            settings.admin_user,
            self.secrets.reveal(settings.admin_password),
        )

    def backup_address(self, database: str | None = None) -> DatabaseAddress:
        """The primary as the backups and the heartbeat see it; an empty name means the server itself."""
        from recovery.facts import DatabaseAddress

        settings = self.settings.database
        return DatabaseAddress(
            settings.host,
            settings.port,
            settings.name if database is None else database,
            settings.backup_user,
            self.secrets.reveal(settings.backup_password),
        )


@functools.cache
def site() -> Site:
    """This process's site, from RECOVERY_CONFIG or the usual places."""
    return Site(load_settings())
