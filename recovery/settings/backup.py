"""Repositories, backups, restored copies and what is checked in them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from recovery.settings.section import Port, Seconds, Section


class RepoSettings(Section):
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


class BackupSettings(Section):
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


class RestoreSettings(Section):
    """Where restored copies live until they are dropped."""

    scratch_dir: Path | None = Field(None, description="directory for restored copies; unset: state_dir/scratch")
    start_seconds: Seconds = Field(3600, description="deadline for WAL replay")
    space_factor: float = Field(1.2, ge=1, description="free space wanted, as a multiple of the space computed")


class ChecksSettings(Section):
    """The data checks."""

    row_count_tolerance: float = Field(
        0.5, ge=0, le=1, description="share of recorded rows that may be missing at another moment"
    )
    timeout_seconds: Seconds = Field(1800, description="deadline of all checks of one copy")
    parallel: int = Field(2, ge=1, le=32, description="connections for index checks")
    rules: Path | None = Field(None, description="folder of the site's own rules: SQL files that must return no row")
