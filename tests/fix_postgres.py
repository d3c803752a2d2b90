"""A throwaway PostgreSQL server with ClickView's tables, for tests that break data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from psycopg import sql

from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.preparation import apply_heartbeat, apply_role, reader_role
from recovery.adapters.process import Host
from recovery.facts import DatabaseAddress
from sandbox.fill import fill, make_schema
from sandbox.strange import DATABASE, make_strange
from tests.conftest import require_programs

BIN = Path("/usr/lib/postgresql/15/bin")
READER = "clickview_recovery_reader"
PASSWORD = "reader-of-the-tests"
PORT = 54329


@dataclass(frozen=True)
class Cluster:
    """One server: reached over a socket in its own folder."""

    folder: Path
    host: Host

    @property
    def admin(self) -> DatabaseAddress:
        return DatabaseAddress(str(self.folder), PORT, "postgres", "postgres")

    @property
    def bin_dir(self) -> Path:
        return BIN

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def run(self, program: str, *arguments: str) -> None:
        self.host.run([self.bin_dir / program, *arguments], timeout_seconds=60, outlives=True)

    def start(self, more: str = "", env: Mapping[str, str] | None = None) -> None:
        options = (
            f"-k {self.folder} -p {PORT} -c listen_addresses= -c fsync=off -c autovacuum=off -c shared_buffers=16MB"
        )
        start = ["-D", self.data_dir, "-l", self.folder / "log", "-w", "-t", "30", "-o", f"{options} {more}", "start"]
        self.host.run([self.bin_dir / "pg_ctl", *start], timeout_seconds=60, outlives=True, env=env)

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.data_dir), "-m", "immediate", "-w", "-t", "30", "stop")


@contextmanager
def new_cluster() -> Iterator[Cluster]:
    """A server of its own, not started yet; gone at the end."""
    require_programs(str(BIN / "initdb"))
    as_root = os.geteuid() == 0
    prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--") if as_root else ()
    folder = Path(tempfile.mkdtemp(prefix="cvdata", dir="/tmp"))
    if as_root:
        shutil.chown(folder, "postgres", "postgres")
    made = Cluster(folder, Host(prefix))
    try:
        made.run("initdb", "-D", str(made.data_dir), "-U", "postgres", "-A", "trust", "-k", "--no-sync", "-E", "UTF8")
        yield made
    finally:
        if (made.data_dir / "postmaster.pid").exists():
            made.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server with page checksums, a database `pristine` and the reader of the data checks."""
    with new_cluster() as made:
        made.start()
        _make_pristine(made)
        yield made


def _make_pristine(made: Cluster) -> None:
    apply_role(made.admin, reader_role(READER, PASSWORD))
    with connect(made.admin) as connection:
        connection.execute("CREATE ROLE clickview LOGIN")
        connection.execute("CREATE DATABASE pristine OWNER clickview")
    pristine = replace(made.admin, name="pristine")
    make_schema(replace(pristine, user="clickview"))
    fill(pristine, 2_000_000)
    with connect(pristine) as connection:
        connection.execute("CREATE ROLE beats")
    apply_heartbeat(pristine, "beats", READER)


@pytest.fixture(scope="session")
def strange_template(cluster: Cluster) -> DatabaseAddress:
    """A database with all that is strange, and few small tables."""
    address = replace(cluster.admin, name="strange")
    with connect(cluster.admin) as connection:
        connection.execute("CREATE DATABASE strange OWNER clickview")
    make_strange(replace(address, user="clickview"), address, tables=90)
    return address


@pytest.fixture
def strange(cluster: Cluster, strange_template: DatabaseAddress) -> Iterator[DatabaseAddress]:
    """A copy of it, under a strange name, that a test may break."""
    dropped = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE))
    made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with connect(cluster.admin) as connection:
        connection.execute(dropped)
        connection.execute(made.format(*map(sql.Identifier, (DATABASE, strange_template.name))))
    yield replace(cluster.admin, name=DATABASE)
    with connect(cluster.admin) as connection:
        connection.execute(dropped)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[DatabaseAddress]:
    """A copy of `pristine` that a test may break, as its superuser sees it."""
    address = replace(cluster.admin, name="broken")
    with connect(cluster.admin) as connection:
        connection.execute("DROP DATABASE IF EXISTS broken WITH (FORCE)")
        connection.execute("CREATE DATABASE broken TEMPLATE pristine STRATEGY file_copy")
    yield address
    with connect(cluster.admin) as connection:
        connection.execute("DROP DATABASE IF EXISTS broken WITH (FORCE)")
