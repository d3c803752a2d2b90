"""Every setting, with its unit, its default and the reason to change it: all sections of a site."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from recovery.settings.approval import ApprovalSettings
from recovery.settings.backup import BackupSettings, ChecksSettings, RestoreSettings
from recovery.settings.cloud import AwsSettings, EvidenceSettings
from recovery.settings.database import DatabaseSettings, StandbySettings
from recovery.settings.promises import CONTACTS, SEVERITY, Contact, ObjectivesSettings, SeverityLevel, SeverityName
from recovery.settings.section import Section
from recovery.settings.services import (
    ApplicationSettings,
    KubernetesSettings,
    RedisSettings,
    ServerSettings,
    ServicesSettings,
)

# How settings of a section are called in the runbook's environment.
ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "DB_HOST": ("database", "host"),
    "DB_PORT": ("database", "port"),
    "DB_NAME": ("database", "name"),
    "DB_USER": ("database", "user"),
    "DB_PASSWORD": ("database", "password"),
    "REDIS_HOST": ("redis", "host"),
    "REDIS_PORT": ("redis", "port"),
    "REDIS_PASSWORD": ("redis", "password"),
    "BACKUP_S3_BUCKET": ("backup", "primary", "bucket"),
    "BACKUP_S3_REGION": ("backup", "primary", "region"),
    "BACKUP_ENCRYPTION_KEY": ("backup", "encryption_key"),
    "ZONE_ID": ("aws", "zone_id"),
    "PRIMARY_BACKUP_BUCKET": ("backup", "primary_bucket"),
}


class SiteSettings(Section):
    """The site as a whole."""

    name: str = Field("clickview", pattern=r"^[a-z][a-z0-9-]{0,39}$", description="short name, used in records")
    state_dir: Path = Field(
        Path("/var/lib/clickview-recovery"), description="journals, generated files and locks of this tool"
    )
    lease_seconds: int = Field(
        90, ge=5, le=3600, description="a recovery that has not been heard of for so long has lost the site"
    )


class Settings(Section):
    """One site."""

    site: SiteSettings = SiteSettings()
    database: DatabaseSettings = DatabaseSettings()
    standby: StandbySettings | None = None
    redis: RedisSettings = RedisSettings()
    backup: BackupSettings
    restore: RestoreSettings = RestoreSettings()
    checks: ChecksSettings = ChecksSettings()
    aws: AwsSettings = AwsSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    services: ServicesSettings = ServicesSettings()
    application: ApplicationSettings = ApplicationSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    approval: ApprovalSettings = ApprovalSettings()
    server: ServerSettings = ServerSettings()
    contacts: dict[str, Contact] = CONTACTS
    severity: dict[SeverityName, SeverityLevel] = SEVERITY
    objectives: ObjectivesSettings = ObjectivesSettings()

    @property
    def scratch_dir(self) -> Path:
        """Where restored copies live."""
        return self.restore.scratch_dir or self.site.state_dir / "scratch"

    @property
    def evidence_bucket(self) -> str:
        """The bucket of the evidence: by default the one farthest from the site."""
        return self.evidence.bucket or self.backup.repos[-1].bucket
