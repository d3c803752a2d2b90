"""Bring a sandbox up, say how it is, take it down."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recovery.errors import SettingsInvalid, TargetUnreachable, VerificationFailed
from sandbox import services
from sandbox.layout import MARKER, REGIONS, SERVER_USER, Sandbox, default_folder, plan_sandbox
from sandbox.removal import remove_everything

_PREPARE_SECONDS = 900
_RECOVER = "from recovery.cli.main import main; main()"


@dataclass(frozen=True)
class ServiceState:
    """One server of a sandbox as it is now."""

    name: str
    state: str
    pid: int | None
    port: int | None


def up(
    folder: Path | None = None,
    *,
    size: str = "10MB",
    prepare: bool = True,
    first_backup: bool = False,
    transactions_per_second: float = 50.0,
) -> Sandbox:
    """Bring up a whole site in an empty folder. When that fails nothing is left behind.

    Raises: GateRefused, SettingsInvalid, TargetUnreachable, VerificationFailed.
    """
    from sandbox.fill import parse_size

    size_bytes = parse_size(size)
    sandbox = plan_sandbox(folder or default_folder(), transactions_per_second=transactions_per_second)
    _make_folder(sandbox)
    try:
        _start_all(sandbox, size_bytes, prepare, first_backup)
    except BaseException:
        down(sandbox.folder)
        raise
    return sandbox


def down(folder: Path | None = None) -> bool:
    """End every process of a sandbox and remove its folder; also what a killed `up` left.

    Returns whether there was one. Raises: SettingsInvalid when the folder is something else.
    """
    folder = (folder or default_folder()).resolve()
    if not folder.exists():
        return False
    left_by_up = {entry.name for entry in folder.iterdir()} <= {"sandbox.new"}
    if not left_by_up and not (folder / "sandbox.json").exists():
        raise SettingsInvalid(f"{folder} is not a sandbox; nothing was removed", "name its folder with --dir")
    remove_everything(folder)
    return True


def status(sandbox: Sandbox) -> list[ServiceState]:
    """Every server: does it run, does it answer."""
    return [_state(sandbox, name) for name in services.names(sandbox)]


def active_faults(sandbox: Sandbox) -> list[str]:
    """The faults that were made and not undone."""
    return sorted(file.stem for file in sandbox.faults_dir.glob("*.json"))


def recover(sandbox: Sandbox, *arguments: str, seconds: float = _PREPARE_SECONDS) -> str:
    """Run `recover …` against this sandbox in a process of its own; returns what it printed.

    Raises: VerificationFailed with its last lines.
    """
    environment = {**os.environ, **recover_environment(sandbox)}
    ended = subprocess.run(
        [sys.executable, "-c", _RECOVER, *arguments],
        env=environment,
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


def start_service(sandbox: Sandbox, name: str) -> None:
    """Start a service that was stopped; one that runs is left alone."""
    from sandbox.postgres import start_server

    if name in ("primary", "standby"):
        start_server(sandbox, name)
    elif not services.running_pid(services.find(sandbox, name)):
        services.start(services.find(sandbox, name))


def _make_folder(sandbox: Sandbox) -> None:
    sandbox.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sandbox.folder.chmod(0o700)
    sandbox.save()
    if sandbox.prefix:
        user = pwd.getpwnam(SERVER_USER)
        os.chown(sandbox.folder, user.pw_uid, user.pw_gid)
    for directory in (sandbox.services_dir, sandbox.faults_dir):
        directory.mkdir()


def _start_all(sandbox: Sandbox, size_bytes: int, prepare: bool, first_backup: bool) -> None:
    from sandbox.connections import write_connections
    from sandbox.redis_service import make_redis
    from sandbox.settings_file import make_secrets, write_settings

    make_secrets(sandbox)
    with ThreadPoolExecutor(3) as pool:
        clouds = pool.submit(_start_aws, sandbox)
        cache = pool.submit(make_redis, sandbox)
        _start_database(sandbox, size_bytes)
        write_settings(sandbox, clouds.result())
        cache.result()
    write_connections(sandbox)
    if prepare:
        recover(sandbox, "site", "prepare", "--apply", "--restart")
    _start_python(sandbox, "backend", "sandbox.application")
    _start_standby(sandbox)
    if prepare:
        _start_heartbeat(sandbox)
    _start_python(sandbox, "writer", "sandbox.writer")
    wait_until_healthy(sandbox)
    if prepare and first_backup:
        recover(sandbox, "site", "prepare", "--apply", "--first-backup")


def _start_database(sandbox: Sandbox, size_bytes: int) -> None:
    from sandbox.fill import fill, make_schema
    from sandbox.postgres import make_primary

    make_primary(sandbox)
    make_schema(sandbox.address())
    fill(sandbox.admin_address(), size_bytes)


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


def _start_python(sandbox: Sandbox, name: str, module: str) -> None:
    services.start(services.describe(sandbox, name, [sys.executable, "-m", module, sandbox.folder]))


def _start_heartbeat(sandbox: Sandbox) -> None:
    argv = [sys.executable, "-c", _RECOVER, "site", "heartbeat", "--every", "1"]
    services.start(services.describe(sandbox, "heartbeat", argv, environment=recover_environment(sandbox)))


def wait_until_healthy(sandbox: Sandbox, *, seconds: float = 30) -> None:
    """Wait until the application says that it works.

    Raises: TargetUnreachable at the deadline, with what it said.
    """
    deadline = time.monotonic() + seconds
    while (said := health(sandbox)) != "healthy":
        if time.monotonic() > deadline:
            raise TargetUnreachable(f"the application is not healthy: {said}", "recover sandbox status")
        time.sleep(0.05)


def health(sandbox: Sandbox) -> str:
    """`healthy`, or what the application's health check says instead."""
    url = f"http://127.0.0.1:{sandbox.ports['backend']}/health"
    try:
        with urllib.request.urlopen(url, timeout=10):
            return "healthy"
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError as error:
        return str(error)


def _state(sandbox: Sandbox, name: str) -> ServiceState:
    pid = services.running_pid(services.find(sandbox, name))
    port = sandbox.ports.get(name)
    if pid is None:
        state = "down"
    elif services.is_stopped(pid):
        state = "frozen"
    else:
        state = "up" if port is None or _answers(port) else "no answer"
    return ServiceState(name, state, pid, port)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
