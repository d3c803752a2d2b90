"""The sandbox's recovery.toml and the runbook's variables."""

from __future__ import annotations

import os
import pwd
import secrets
from pathlib import Path

from sandbox.aws import KEY_ID, SECRET
from sandbox.cluster.places import NAMESPACE, kubeconfig
from sandbox.layout import BUCKETS, REGIONS, SERVER_USER, Sandbox
from sandbox.passfile import passfile_line

ROLES = ("postgres", "clickview", "replicator", "clickview_recovery_reader", "clickview_recovery_backup")
KEYS = ("redis", "s3", "encryption_key", "jwt", "jwt_refresh", "backup_key", "kubernetes_admin", "kubernetes_recovery")
APPLICATION_KEY = "application_key"  # 64 hexadecimal digits, or the backend does not start


def make_secrets(sandbox: Sandbox, *, passwords_end: str = "") -> None:
    """Generate every password and key of the sandbox, each in a file of its own. `passwords_end`: of those of roles."""
    sandbox.secrets_dir.mkdir(mode=0o700)
    for name in (*ROLES, *KEYS):
        file = sandbox.secrets_dir / name
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(24) + (passwords_end if name in ROLES else ""))
    file = sandbox.secrets_dir / APPLICATION_KEY
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(32))


def write_settings(sandbox: Sandbox, zone_id: str) -> None:
    """Write recovery.toml: the whole site as the recovery system has to know it."""
    _make_state_folder(sandbox)
    sections = [
        _section("site", {"state_dir": sandbox.state_dir}),
        _section("database", {**_server(sandbox, "primary"), **_roles(sandbox), "bin_dir": sandbox.bin_dir}),
        _section("standby", _server(sandbox, "standby")),
        _section("redis", {"host": "127.0.0.1", "port": sandbox.ports["redis"], "password": _file(sandbox, "redis")}),
        _section("backup", _backup()),
        _section("backup.primary", _repo(sandbox, "east")),
        _section("backup.secondary", _repo(sandbox, "west")),
        _section("aws", _aws(sandbox, zone_id)),
        _section("application", {"health_url": f"http://127.0.0.1:{sandbox.ports['backend']}/health"}),
        _section("services", _services(sandbox)),
        _section("services.prefixes", {"redis": list(sandbox.prefix)}),
        _section("kubernetes", _kubernetes(sandbox)),
    ]
    sandbox.settings_file.touch(mode=0o600)
    sandbox.settings_file.write_text("# Written by recover sandbox up.\n\n" + "\n".join(sections))


def _make_state_folder(sandbox: Sandbox) -> None:
    """It belongs to whoever makes the sandbox and alone reads its settings; two folders in it to the servers' user."""
    sandbox.state_dir.mkdir(exist_ok=True)
    sandbox.state_dir.chmod(0o755)
    for name, mode in (("pgbackrest", 0o700), ("scratch", 0o755)):
        folder = sandbox.state_dir / name
        folder.mkdir(mode=mode, exist_ok=True)
        if sandbox.prefix:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(folder, user.pw_uid, user.pw_gid)


def environment(sandbox: Sandbox) -> dict[str, str]:
    """The variables of the runbook for this sandbox; passwords are left in their files."""
    values = {
        "RECOVERY_CONFIG": str(sandbox.settings_file),
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(sandbox.ports["primary"]),
        "DB_NAME": sandbox.database,
        "DB_USER": "clickview",
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(sandbox.ports["redis"]),
        "BACKUP_S3_BUCKET": BUCKETS["east"],
        "BACKUP_S3_REGION": REGIONS["east"],
        "PRIMARY_BACKUP_BUCKET": BUCKETS["east"],
        "PGPASSFILE": str(write_passfile(sandbox)),
        "KUBECONFIG": str(sandbox.folder / "kubernetes" / "admin.kubeconfig"),
    }
    return values | _zone(sandbox)


def write_passfile(sandbox: Sandbox) -> Path:
    """A password file for psql, for every role on both servers."""
    file = sandbox.secrets_dir / "pgpass"
    file.touch(mode=0o600)
    roles = ("postgres", "clickview", "clickview_recovery_reader", "clickview_recovery_backup")
    lines = [
        passfile_line(host, sandbox.ports[server], "*", role, sandbox.secret(role))
        for server in ("primary", "standby")
        for host in ("127.0.0.1", "localhost")
        for role in roles
    ]
    file.write_text("".join(lines))
    return file


def _zone(sandbox: Sandbox) -> dict[str, str]:
    from recovery.settings import load_settings

    zone = load_settings(sandbox.settings_file, {}).aws.zone_id
    return {"ZONE_ID": zone} if zone else {}


def _server(sandbox: Sandbox, server: str) -> dict[str, object]:
    return {
        "host": "127.0.0.1",
        "port": sandbox.ports[server],
        "data_dir": sandbox.data_dir(server),
        "socket_dir": sandbox.socket_dir(server),
        "command_prefix": list(sandbox.prefix),
        "log_file": sandbox.log_file(server),
    }


def _roles(sandbox: Sandbox) -> dict[str, object]:
    return {
        "name": sandbox.database,
        "user": "clickview",
        "password": _file(sandbox, "clickview"),
        "admin_user": "postgres",
        "admin_password": _file(sandbox, "postgres"),
        "reader_user": "clickview_recovery_reader",
        "reader_password": _file(sandbox, "clickview_recovery_reader"),
        "backup_user": "clickview_recovery_backup",
        "backup_password": _file(sandbox, "clickview_recovery_backup"),
    }


def _backup() -> dict[str, object]:
    # A sandbox is watched for minutes, not days: its WAL leaves soon.
    return {
        "encryption_key": f"secretsmanager://{SECRET}#encryption_key",
        "primary_bucket": BUCKETS["east"],
        "archive_timeout_seconds": 15,
        "heartbeat_seconds": 1,
    }


def _repo(sandbox: Sandbox, side: str) -> dict[str, object]:
    return {
        "bucket": BUCKETS[side],
        "region": REGIONS[side],
        "endpoint": "127.0.0.1",
        "port": sandbox.ports[f"proxy-{side}"],
        "ca_file": sandbox.ca_file,
        "access_key_id": KEY_ID,
        "secret_access_key": _file(sandbox, "s3"),
    }


def _aws(sandbox: Sandbox, zone_id: str) -> dict[str, object]:
    return {
        "zone_id": zone_id,
        "region": "us-east-1",
        "endpoint_url": f"https://127.0.0.1:{sandbox.ports['aws']}",
        "ca_file": sandbox.ca_file,
        "access_key_id": KEY_ID,
        "secret_access_key": sandbox.secret("s3"),
    }


def _services(sandbox: Sandbox) -> dict[str, object]:
    return {
        "database": f"process:{sandbox.data_dir('primary')}",
        "standby": f"process:{sandbox.data_dir('standby')}",
        "redis": f"process:{sandbox.folder / 'redis'}",
        "backend": "kubernetes:deployment/clickview-backend",
        "frontend": "kubernetes:deployment/clickview-frontend",
    }


def _kubernetes(sandbox: Sandbox) -> dict[str, object]:
    return {"kubeconfig": kubeconfig(sandbox.folder, "recovery"), "namespace": NAMESPACE}


def _file(sandbox: Sandbox, name: str) -> str:
    return f"file://{sandbox.secrets_dir / name}"


def _section(name: str, values: dict[str, object]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: object) -> str:
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    text = os.fspath(value) if isinstance(value, Path) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
