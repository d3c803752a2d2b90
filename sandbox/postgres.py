"""PostgreSQL of a sandbox: a primary with its roles, and a standby cloned from it."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from recovery.adapters.files import write_text
from recovery.adapters.postgres.connection import connect
from recovery.adapters.process import PROMPT_SECONDS, Host
from recovery.errors import TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.waiting import wait_until
from sandbox.layout import PATIENCE_SECONDS, Sandbox
from sandbox.passfile import passfile_line
from sandbox.processes import data_dir_pids, free_shared_memory, is_running
from sandbox.services import Service, describe, find, running_pid, start

SLOT = "standby"

_CONFIGURATION = """
# The sandbox's own settings.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket_dir}'
max_connections = 60
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
wal_level = replica
max_wal_senders = 10
max_wal_size = 512MB
track_commit_timestamp = on
hot_standby_feedback = on
wal_retrieve_retry_interval = 500ms
log_line_prefix = '%m [%p] '
log_checkpoints = on
"""


def make_primary(sandbox: Sandbox) -> None:
    """Make and start the primary with its roles and the application's empty database."""
    host, data = Host(sandbox.prefix), sandbox.data_dir("primary")
    _make_directories(sandbox, "primary")
    argv: list[str | Path] = [sandbox.bin_dir / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256"]
    password = sandbox.folder / "primary" / "password"
    write_text(host, password, sandbox.secret("postgres") + "\n")
    argv += ["--data-checksums", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8", f"--pwfile={password}"]
    host.run(argv, timeout_seconds=PATIENCE_SECONDS)
    password.unlink()
    _configure(sandbox, "primary")
    start_server(sandbox, "primary")
    _make_roles(sandbox)


def make_standby(sandbox: Sandbox) -> None:
    """Clone the standby from the primary through a slot, and start it."""
    host, data = Host(sandbox.prefix), sandbox.data_dir("standby")
    _make_directories(sandbox, "standby")
    passwords = sandbox.folder / "standby" / "pgpass"
    write_text(host, passwords, passfile_line("127.0.0.1", "*", "*", "replicator", sandbox.secret("replicator")))
    source = f"host=127.0.0.1 port={sandbox.ports['primary']} user=replicator passfile={passwords}"
    argv: list[str | Path] = [sandbox.bin_dir / "pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast"]
    argv += ["--no-sync", "-C", "-S", SLOT, "-d", f"{source} application_name=standby"]
    host.run(argv, timeout_seconds=1800)
    _configure(sandbox, "standby")
    start_server(sandbox, "standby")


def start_server(sandbox: Sandbox, server: str) -> None:
    """Start `primary` or `standby` and wait until it answers; one that runs is left alone."""
    service = find(sandbox, server)
    if running_pid(service):
        return
    _forget_killed(sandbox, service)
    pid = start(service)

    def look() -> str:
        return "ready" if _ready(service) else "" if is_running(pid) else "over"

    if wait_until(look, PATIENCE_SECONDS, pause=0.02) != "ready":
        raise VerificationFailed(f"the {server} did not start", f"see {service.log_file}")


def _forget_killed(sandbox: Sandbox, service: Service) -> None:
    # Where nobody reaps orphans (containers), a killed postmaster's zombie keeps its lock files valid.
    if not service.pid_file.exists() or data_dir_pids(sandbox.data_dir(service.name)):
        return
    free_shared_memory(service.pid_file)
    for lock in (service.pid_file, *sandbox.socket_dir(service.name).glob(".s.PGSQL.*.lock")):
        lock.unlink(missing_ok=True)


def wait_until_streaming(sandbox: Sandbox) -> None:
    """Wait until the standby receives from the primary."""
    query = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
    with connect(sandbox.admin_address()) as connection:
        if not wait_until(lambda: connection.execute(query).fetchone(), PATIENCE_SECONDS):
            raise TargetUnreachable("the standby does not stream", f"see {sandbox.log_file('standby')}")


def _ready(service: Service) -> bool:
    try:
        lines = service.pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready" and running_pid(service) is not None


def _make_directories(sandbox: Sandbox, server: str) -> None:
    host = Host(sandbox.prefix)
    for directory in (sandbox.folder / server, sandbox.socket_dir(server)):
        host.run(["mkdir", "-p", "-m", "0700", directory], timeout_seconds=PROMPT_SECONDS)
    host.run(["touch", sandbox.log_file(server)], timeout_seconds=PROMPT_SECONDS)
    describe(
        sandbox,
        server,
        [*sandbox.prefix, sandbox.bin_dir / "postgres", "-D", sandbox.data_dir(server)],
        data_dir=sandbox.data_dir(server),
    )


def _configure(sandbox: Sandbox, server: str) -> None:
    text = _CONFIGURATION.format(port=sandbox.ports[server], socket_dir=sandbox.socket_dir(server))
    with (sandbox.data_dir(server) / "postgresql.conf").open("a") as out:
        out.write(text)


def _make_roles(sandbox: Sandbox) -> None:
    admin = DatabaseAddress("127.0.0.1", sandbox.ports["primary"], "postgres", "postgres", sandbox.secret("postgres"))
    statements = (
        sql.SQL("CREATE ROLE clickview LOGIN PASSWORD {}").format(sandbox.secret("clickview")),
        sql.SQL("CREATE ROLE replicator LOGIN REPLICATION PASSWORD {}").format(sandbox.secret("replicator")),
        sql.SQL("CREATE DATABASE {} OWNER clickview").format(sql.Identifier(sandbox.database)),
    )
    with connect(admin) as connection:
        for statement in statements:
            connection.execute(statement)
