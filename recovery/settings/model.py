"""Every setting, with its unit, its default and the reason to change it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1)]

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


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SiteSettings(_Section):
    """The site as a whole."""

    name: str = Field("clickview", pattern=r"^[a-z][a-z0-9-]{0,39}$", description="short name, used in records")
    state_dir: Path = Field(
        Path("/var/lib/clickview-recovery"), description="journals, generated files and locks of this tool"
    )


class _Cluster(_Section):
    """One PostgreSQL server: where it answers and where its files are."""

    host: str = Field("localhost", description="address that clients use")
    port: Port = Field(5432, description="TCP port")
    data_dir: Path | None = Field(None, description="data directory, e.g. /var/lib/postgresql/15/main")
    socket_dir: Path = Field(Path("/var/run/postgresql"), description="directory of its Unix socket")
    command_prefix: tuple[str, ...] = Field(
        (),
        description='how a command is run where it lives, e.g. ["ssh", "db1"] or ["runuser", "-u", "postgres", "--"]',
    )
    log_file: Path | None = Field(None, description="server log; unset: asked of the server")


class DatabaseSettings(_Cluster):
    """The primary."""

    name: str = Field("clickview", min_length=1, max_length=63, description="the application's database")
    user: str = Field("clickview", description="the application's role")
    password: SecretStr | None = Field(None, description="its password, or file:///… or secretsmanager://name#key")
    admin_user: str = Field("postgres", description="superuser, for `recover site prepare` and for restored databases")
    admin_password: SecretStr | None = Field(
        None, description="its password or a reference; unset: the server must not ask"
    )
    reader_user: str = Field(
        "clickview_recovery_reader", description="role of the data checks: reads all rows, writes none"
    )
    reader_password: SecretStr | None = Field(None, description="its password or a reference")
    backup_user: str = Field(
        "clickview_recovery_backup", validate_default=True, description="role of the backups and of the heartbeat"
    )
    backup_password: SecretStr | None = Field(None, description="its password or a reference")
    bin_dir: Path = Field(Path("/usr/lib/postgresql/15/bin"), description="PostgreSQL's programs")

    @field_validator("backup_user")
    @classmethod
    def _another_role(cls, name: str, others: ValidationInfo) -> str:
        if name == others.data.get("reader_user"):
            raise PydanticCustomError("same_role", "The same role as reader_user, which reads all rows")
        return name


class StandbySettings(_Cluster):
    """The streaming standby."""

    ssh_host: str | None = Field(None, description="how pgBackRest reaches it when it is another machine (pg2-host)")


class RedisSettings(_Section):
    """The cache."""

    host: str = Field("localhost", description="address of the Redis server")
    port: Port = Field(6379, description="its TCP port")
    password: SecretStr | None = Field(None, description="its password or a reference")


class RepoSettings(_Section):
    """One pgBackRest repository: a bucket in a region."""

    bucket: str = Field(min_length=3, max_length=63, description="S3 bucket")
    region: str = Field("us-east-1", min_length=1, description="its region")
    endpoint: str | None = Field(None, description="S3 endpoint host; unset: AWS's own for the region")
    port: Port = Field(443, description="its port (always TLS)")
    path: str = Field("/pgbackrest", pattern=r"^/", description="path inside the bucket")
    ca_file: Path | None = Field(None, description="certificate authority of the endpoint; unset: the system's")
    access_key_id: SecretStr | None = Field(
        None, description="access key or a reference; unset: the machine's own role"
    )
    secret_access_key: SecretStr | None = Field(None, description="secret key or a reference")
    retention_full: int = Field(4, ge=1, le=1000, description="how many full sets are kept")


class BackupSettings(_Section):
    """Backups and the WAL archive."""

    stanza: str = Field("main", pattern=r"^[a-z][a-z0-9_-]*$", description="pgBackRest stanza")
    encryption_key: SecretStr = Field(description="repository key or a reference; kept outside the region it protects")
    primary: RepoSettings = Field(description="repository in the site's own region")
    secondary: RepoSettings | None = Field(None, description="repository in the second region")
    primary_bucket: str | None = Field(None, description="default of --source-bucket in the second region")
    process_max: int = Field(2, ge=1, le=64, description="processes that compress and copy side by side")
    compress_level: int = Field(3, ge=1, le=19, description="zstd level")
    archive_timeout_seconds: int = Field(60, ge=5, le=3600, description="an idle server archives its WAL this often")
    heartbeat_seconds: int = Field(5, ge=1, le=300, description="how often the heartbeat row is written")
    lock_wait_seconds: Seconds = Field(120, description="how long a backup waits for another one to end")
    timeout_seconds: Seconds = Field(4 * 3600, description="deadline of one backup or restore")
    answer_seconds: Seconds = Field(30, description="how long a repository may be silent")

    @property
    def repos(self) -> tuple[RepoSettings, ...]:
        """The repositories in pgBackRest's order: repo1 is the site's own region."""
        return (self.primary,) if self.secondary is None else (self.primary, self.secondary)


class RestoreSettings(_Section):
    """Where restored copies live until they are dropped."""

    scratch_dir: Path | None = Field(None, description="directory for restored copies; unset: state_dir/scratch")
    start_seconds: Seconds = Field(3600, description="deadline for WAL replay")
    space_factor: float = Field(1.2, ge=1, description="free space wanted, as a multiple of the space computed")


class ChecksSettings(_Section):
    """The data checks."""

    row_count_tolerance: float = Field(
        0.5, ge=0, le=1, description="share of recorded rows that may be missing at another moment"
    )
    timeout_seconds: Seconds = Field(1800, description="deadline of all checks of one copy")
    parallel: int = Field(2, ge=1, le=32, description="connections for index checks")
    rules: Path | None = Field(None, description="folder of the site's own rules: SQL files that must return no row")


class AwsSettings(_Section):
    """AWS services beside the repositories."""

    zone_id: str | None = Field(None, description="Route 53 hosted zone of the site")
    region: str = Field("us-east-1", description="region of Secrets Manager")
    endpoint_url: str | None = Field(None, description="endpoint for Route 53 and Secrets Manager; unset: AWS's own")
    ca_file: Path | None = Field(None, description="certificate authority of that endpoint")
    access_key_id: SecretStr | None = Field(None, description="access key; unset: the machine's own role")
    secret_access_key: SecretStr | None = Field(None, description="secret key")


class EvidenceSettings(_Section):
    """Where journals, reports and recorded facts are kept beside the local disk."""

    bucket: str | None = Field(None, description="bucket for evidence; unset: the last repository's bucket")
    prefix: str = Field("evidence", pattern=r"^[\w-]+$", description="its folder in the bucket")


class ServicesSettings(_Section):
    """What plays each role, as KIND:NAME (docker, compose, systemd, kubernetes, process)."""

    database: str = Field("systemd:postgresql", description="the primary's service")
    standby: str | None = Field(None, description="the standby's service")
    redis: str = Field("kubernetes:deployment/clickview-redis", description="the cache")
    backend: str = Field("kubernetes:deployment/clickview-backend", description="the backend")
    frontend: str = Field("kubernetes:deployment/clickview-frontend", description="the frontend")


class ApplicationSettings(_Section):
    """The application as its users see it."""

    health_url: str = Field("https://api.clickview.app/health", pattern=r"^https?://", description="health check")
    version: str | None = Field(None, description="version noted on backups; unset: asked of the health check")


class Contact(_Section):
    """Who is called."""

    name: str = Field(description="a person or a team")
    contact: str = Field(description="where they are reached")


class SeverityLevel(_Section):
    """How bad it is and how soon somebody must answer."""

    description: str = Field(description="what users see")
    response_minutes: int = Field(ge=0, description="response time in minutes; 0 is immediate")


class ObjectivesSettings(_Section):
    """The promises, each measured after every run."""

    recovery_minutes: int = Field(240, ge=1, description="RTO")
    data_loss_minutes: int = Field(60, ge=1, description="RPO")
    detection_minutes: int = Field(5, ge=1, description="fault to alert")
    acknowledgement_minutes: int = Field(10, ge=1, description="alert to a person")

    @property
    def rto(self) -> timedelta:
        return timedelta(minutes=self.recovery_minutes)

    @property
    def rpo(self) -> timedelta:
        return timedelta(minutes=self.data_loss_minutes)


class ServerSettings(_Section):
    """The Prefect server of `recover serve`."""

    host: str = Field("127.0.0.1", description="address to listen on; another than loopback needs api_password")
    port: Port = Field(4200, description="port of the UI and the API")
    api_password: SecretStr | None = Field(None, description="user:password that the API asks for, or a reference")
    run_as: str | None = Field(
        None, description="user of its own PostgreSQL when root serves (state_dir is root's); unset: postgres"
    )


SeverityName = Literal["SEV-1", "SEV-2", "SEV-3", "SEV-4"]

_CONTACTS = {
    "on_call": Contact(name="TBD", contact="PagerDuty"),
    "database_admin": Contact(name="TBD", contact="Slack #db-team"),
    "infrastructure_lead": Contact(name="TBD", contact="Slack #infra"),
    "security_team": Contact(name="TBD", contact="security@clickview.app"),
}
_SEVERITY: dict[SeverityName, SeverityLevel] = {
    "SEV-1": SeverityLevel(description="Complete service outage", response_minutes=0),
    "SEV-2": SeverityLevel(description="Partial outage affecting >50% users", response_minutes=15),
    "SEV-3": SeverityLevel(description="Degraded performance", response_minutes=60),
    "SEV-4": SeverityLevel(description="Minor issues", response_minutes=240),
}


class Settings(_Section):
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
    server: ServerSettings = ServerSettings()
    contacts: dict[str, Contact] = _CONTACTS
    severity: dict[SeverityName, SeverityLevel] = _SEVERITY
    objectives: ObjectivesSettings = ObjectivesSettings()

    @property
    def scratch_dir(self) -> Path:
        """Where restored copies live."""
        return self.restore.scratch_dir or self.site.state_dir / "scratch"

    @property
    def evidence_bucket(self) -> str:
        """The bucket of the evidence: by default the one farthest from the site."""
        return self.evidence.bucket or self.backup.repos[-1].bucket
