"""Where PostgreSQL is, and as whom it is spoken to."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from recovery.settings.section import Port, Section


class _Cluster(Section):
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
