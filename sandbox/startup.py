"""Start the servers of a sandbox, and run `recover` against it."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from recovery.environment import our_environment
from recovery.errors import VerificationFailed
from sandbox import services
from sandbox.layout import MARKER, REGIONS, SERVER_USER, Sandbox

_PREPARE_SECONDS = 900
_RECOVER = "from recovery.cli.main import main; main()"


@dataclass(frozen=True)
class Content:
    """What the new database holds. `strange_tables`: it is a strange one, with so many small tables."""

    size_bytes: int
    strange_tables: int | None = None


def make_folder(sandbox: Sandbox) -> None:
    """Fill its folder with what `down` needs to find everything."""
    sandbox.folder.chmod(0o700)
    sandbox.save()
    if sandbox.prefix:
        user = pwd.getpwnam(SERVER_USER)
        os.chown(sandbox.folder, user.pw_uid, user.pw_gid)
    for directory in (sandbox.services_dir, sandbox.faults_dir):
        directory.mkdir()


def start_everything(sandbox: Sandbox, content: Content, prepare: bool, first_backup: bool) -> None:
    """Start all servers of a new sandbox: what does not wait for each other side by side."""
    from sandbox.connections import write_connections
    from sandbox.redis_service import make_redis
    from sandbox.settings_file import make_secrets, write_settings
    from sandbox.strange import PASSWORD_END

    make_secrets(sandbox, passwords_end="" if content.strange_tables is None else PASSWORD_END)
    with ThreadPoolExecutor(3) as pool:
        clouds = pool.submit(_start_aws, sandbox)
        cache = pool.submit(make_redis, sandbox)
        _start_database(sandbox, content)
        write_settings(sandbox, clouds.result())
        cache.result()
    write_connections(sandbox)
    _start_cluster(sandbox)
    if prepare:
        recover(sandbox, "site", "prepare", "--apply", "--restart")
    _start_standby(sandbox)
    if prepare:
        _start_heartbeat(sandbox)
    _start_python(sandbox, "writer", "sandbox.writer")
    if prepare and first_backup:
        recover(sandbox, "site", "prepare", "--apply", "--first-backup")


def start_service(sandbox: Sandbox, name: str) -> None:
    """Start a service that was stopped; one that runs is left alone."""
    from sandbox.postgres import start_server

    if name in ("primary", "standby"):
        start_server(sandbox, name)
    elif not services.running_pid(services.find(sandbox, name)):
        services.start(services.find(sandbox, name))


def recover(sandbox: Sandbox, *arguments: str, seconds: float = _PREPARE_SECONDS) -> str:
    """Run `recover …` against this sandbox in a process of its own; returns what it printed.

    Raises: VerificationFailed with its last lines.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _RECOVER, *arguments],
        env=our_environment(recover_environment(sandbox)),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if ended.returncode:
        said = "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-12:])
        raise VerificationFailed(f"recover {' '.join(arguments)} ended with {ended.returncode}:\n{said}", "see above")
    return ended.stdout


def recover_environment(sandbox: Sandbox) -> dict[str, str]:
    """What a `recover` process needs to work on this sandbox."""
    return {"RECOVERY_CONFIG": str(sandbox.settings_file), "RECOVERY_NO_SERVER": "1", MARKER: str(sandbox.folder)}


def _start_database(sandbox: Sandbox, content: Content) -> None:
    from sandbox.fill import fill, make_schema
    from sandbox.postgres import make_primary
    from sandbox.strange import make_strange

    make_primary(sandbox)
    make_schema(sandbox.address())
    fill(sandbox.admin_address(), content.size_bytes)
    if content.strange_tables is not None:
        make_strange(sandbox.address(), sandbox.admin_address(), content.strange_tables)


def _start_standby(sandbox: Sandbox) -> None:
    from sandbox.postgres import make_standby, wait_until_streaming

    make_standby(sandbox)
    wait_until_streaming(sandbox)


def _start_aws(sandbox: Sandbox) -> str:
    from sandbox.aws import fill_aws, fill_region
    from sandbox.certificates import make_certificates

    make_certificates(sandbox)
    names = [*(f"s3-{side}" for side in REGIONS), "aws"]
    for name in names:
        services.describe(sandbox, name, [sys.executable, "-m", "sandbox.aws_server", sandbox.folder, name])
    services.launch(sandbox, [sys.executable, "-m", "sandbox.aws_server", sandbox.folder, *names])
    _start_python(sandbox, "proxy", "sandbox.proxy")
    for side in REGIONS:
        fill_region(sandbox, side)
    return fill_aws(sandbox)


def _start_cluster(sandbox: Sandbox) -> None:
    """The application's pods need their time to start: they have it while the site is prepared."""
    from sandbox.cluster.kubeconfigs import write_kubeconfigs

    write_kubeconfigs(sandbox)
    _start_python(sandbox, "cluster", "sandbox.cluster")
    _start_python(sandbox, "backend", "sandbox.cluster.service")


def _start_python(sandbox: Sandbox, name: str, module: str) -> None:
    services.start(services.describe(sandbox, name, [sys.executable, "-m", module, sandbox.folder]))


def _start_heartbeat(sandbox: Sandbox) -> None:
    argv = [sys.executable, "-c", _RECOVER, "site", "heartbeat", "--every", "1"]
    services.start(services.describe(sandbox, "heartbeat", argv, environment=recover_environment(sandbox)))
