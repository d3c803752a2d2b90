"""A server as Debian makes it (`pg_createcluster`), ClickView's tables in it, and recovery.toml as a user writes it."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.environment import our_environment
from recovery.facts import DatabaseAddress
from recovery.ports import release_ports, reserve_ports
from sandbox import services, startup
from sandbox.aws import KEY_ID, fill_region
from sandbox.certificates import make_certificates
from sandbox.fill import fill, make_schema
from sandbox.layout import BUCKETS, REGIONS, Sandbox, plan_sandbox
from sandbox.removal import remove_everything
from sandbox.settings_file import make_secrets
from tests.conftest import require_programs
from tests.fix_drills import Ended
from tests.waiting import PATIENCE

EXAMPLE = Path(__file__).parent.parent / "deployments" / "recovery.toml.example"
VERSION = "15"
RUNUSER = ("runuser", "-u", "postgres", "--")
ROOT: tuple[str, ...] = () if os.geteuid() == 0 else ("sudo", "-n")
_MAIN = "from recovery.cli.main import main; main()"
_PASSED_ON = ("RECOVERY_CONFIG", "PYTHONPATH", "PATH", "HOME")
_numbers = itertools.count()


@dataclass(frozen=True)
class Stock:
    """One stock cluster and its site. `name` is the cluster's, `folder` holds settings, secrets and state."""

    folder: Path
    name: str
    port: int
    clouds: Sandbox

    state_name: str = "clickview-recovery"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def state_dir(self) -> Path:
        return self.folder / self.state_name

    @property
    def settings(self) -> Path:
        return self.folder / "etc" / "recovery.toml"

    @property
    def hba_file(self) -> Path:
        return Path("/etc/postgresql") / VERSION / self.name / "pg_hba.conf"

    @property
    def admin(self) -> DatabaseAddress:
        """A superuser of the test's own, with a password; the site's is postgres, by peer."""
        return DatabaseAddress("127.0.0.1", self.port, "clickview", "dba", "dba-of-the-tests")

    def sql(self, query: str, *parameters: object) -> Any:
        """One value, as superuser."""
        with connect(self.admin) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def recover(self, *words: str, as_root: bool) -> Ended:
        """`recover …` as root, or as postgres."""
        prefix, environment = (ROOT, {}) if as_root else _python_of_postgres()
        python = environment.pop("python", sys.executable)
        told = our_environment({"RECOVERY_CONFIG": str(self.settings), **environment})
        given = [f"{name}={told[name]}" for name in _PASSED_ON if name in told]
        argv = [*prefix, "env", *given, python, "-c", _MAIN, *words]
        begin = time.monotonic()
        done = subprocess.run(argv, cwd="/", env=told, capture_output=True, text=True, timeout=PATIENCE * 2)
        return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def done(self, *words: str, as_root: bool) -> Ended:
        """`recover …` that must succeed."""
        ended = self.recover(*words, as_root=as_root)
        assert ended.status == 0, f"recover {' '.join(words)} ended with {ended.status}:\n{ended.stderr}{ended.stdout}"
        return ended

    def restart(self) -> None:
        ctl(self.name, "restart")

    def configure(self, text: str) -> None:
        """Settings as somebody writes them into conf.d; they count with the next start."""
        file = self.hba_file.with_name("conf.d") / "somebody.conf"
        subprocess.run([*ROOT, "tee", file], input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def make_state_dir(self) -> None:
        shell("install", "-d", "-o", "postgres", "-g", "postgres", "-m", "0750", self.state_dir)

    def note_as_pushed(self) -> None:
        """Have pgBackRest's spool say of this segment, and the next ones, that they are in the repositories."""
        out = self.state_dir / "pgbackrest" / "spool" / "archive" / "main" / "out"
        now = self.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        names = (f"{now[:16]}{int(now[16:], 16) + number:08X}.ok" for number in range(8))
        shell("install", "-d", "-m", "0750", out, prefix=(*ROOT, *RUNUSER))
        shell("touch", *(out / name for name in names), prefix=(*ROOT, *RUNUSER))

    def set_prefix(self, *words: str) -> None:
        """Write how a command is run where the server lives."""
        text = self.settings.read_text()
        listed = ", ".join(f'"{word}"' for word in words)
        write(self.settings, re.sub(r"^command_prefix = .*$", f"command_prefix = [{listed}]", text, flags=re.MULTILINE))


def shell(*argv: str | Path, prefix: tuple[str, ...] = ROOT) -> str:
    """Run something as root, or as another with its prefix."""
    done = subprocess.run([*prefix, *map(str, argv)], cwd="/", capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
    return done.stdout


def ctl(name: str, action: str) -> None:
    shell("pg_ctlcluster", "--skip-systemctl-redirect", VERSION, name, action)


def write(path: Path, text: str) -> None:
    """A file as `install -m 0640 -o root -g postgres` leaves it."""
    subprocess.run([*ROOT, "tee", path], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
    shell("chown", "root:postgres", path)
    shell("chmod", "0640", path)


def _python_of_postgres() -> tuple[tuple[str, ...], dict[str, str]]:
    """How the user postgres runs our Python: it may lie in a folder that is closed to others."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    here = str(Path(__file__).parent.parent)
    system = {"PYTHONPATH": f"{here}:{packages}", "python": "/usr/bin/python3"}
    may_read = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
    as_postgres = (*ROOT, "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
    ways: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
        ((*ROOT, *RUNUSER), {}),
        ((*ROOT, *RUNUSER), system),
        ((*as_postgres, *may_read, "--"), {}),  # the last resort: it also reads what it may not
    )
    for prefix, environment in ways:
        python = environment.get("python", sys.executable)
        path = [f"PYTHONPATH={environment['PYTHONPATH']}"] if environment else []
        argv = [*prefix, "env", *path, python, "-c", "import psycopg, pydantic_core, recovery"]
        if subprocess.run(argv, cwd="/", capture_output=True, timeout=PATIENCE).returncode == 0:
            return prefix, dict(environment)
    pytest.fail("the user postgres cannot run this Python")


@pytest.fixture(scope="module")
def clouds(sandbox_room: Path) -> Iterator[Sandbox]:
    """Two S3 servers with a bucket each, nothing else of a sandbox."""
    require_programs("pg_createcluster", "runuser", "setpriv")
    if ROOT and (shutil.which("sudo") is None or subprocess.run([*ROOT, "true"], capture_output=True).returncode):
        pytest.skip("neither root nor sudo without a password: a stock cluster cannot be made")
    made = plan_sandbox(sandbox_room / f"clouds-{next(_numbers)}")
    startup.make_folder(made)
    try:
        make_secrets(made)
        make_certificates(made)
        names = [f"s3-{side}" for side in REGIONS]
        for name in names:
            services.describe(made, name, [sys.executable, "-m", "sandbox.aws_server", made.folder, name])
        services.launch(made, [sys.executable, "-m", "sandbox.aws_server", made.folder, *names])
        for side in REGIONS:
            fill_region(made, side)
        yield made
    finally:
        remove_everything(made.folder)


@pytest.fixture
def new_stock(clouds: Sandbox, sandbox_room: Path) -> Iterator[Any]:
    """Make a fresh cluster with a site of its own (its own stanza and path in the buckets)."""
    _clean_up_after_killed_runs()
    made: list[Stock] = []

    def make(*, tables: bool = True, state_name: str = "clickview-recovery") -> Stock:
        place = sandbox_room / f"stock-{next(_numbers)}"
        place.mkdir(mode=0o755)
        place.chmod(0o755)
        port = reserve_ports(place, ["stock"])["stock"]
        stock = Stock(place, f"cvt{os.getpid()}n{next(_numbers)}", port, clouds, state_name)
        made.append(stock)
        make_cluster(stock, tables=tables)
        write_site(stock, f"/{stock.name}")
        return stock

    yield make
    for stock in made:
        drop_cluster(stock.name)
        release_ports(stock.folder)
        shell("rm", "-rf", "--one-file-system", stock.folder)


def make_cluster(stock: Stock, *, tables: bool = True) -> None:
    """A stock server with ClickView's tables and a few of its rows."""
    options = ("-p", str(stock.port), "-d", str(stock.data_dir), "--start-conf=manual", "--locale=C.UTF-8")
    shell("install", "-d", "-o", "postgres", "-g", "postgres", "-m", "0700", stock.data_dir)
    shell("pg_createcluster", *options, VERSION, stock.name)
    ctl(stock.name, "start")
    for statement in (
        "CREATE ROLE clickview LOGIN PASSWORD 'clickview-of-the-tests'",
        "CREATE ROLE dba LOGIN SUPERUSER PASSWORD 'dba-of-the-tests'",
        "CREATE DATABASE clickview OWNER clickview",
    ):
        shell("psql", "-p", str(stock.port), "-qXc", statement, prefix=(*ROOT, *RUNUSER))
    if tables:
        application = DatabaseAddress("127.0.0.1", stock.port, "clickview", "clickview", "clickview-of-the-tests")
        make_schema(application)
        fill(stock.admin, 1_000_000)


def drop_cluster(name: str) -> None:
    """The cluster with its configuration (files that Debian does not know stay otherwise) and its log."""
    subprocess.run([*ROOT, "pg_dropcluster", "--stop", VERSION, name], capture_output=True, timeout=PATIENCE)
    shell("rm", "-rf", Path("/etc/postgresql") / VERSION / name)
    shell("rm", "-f", f"/var/log/postgresql/postgresql-{VERSION}-{name}.log")


def write_site(stock: Stock, path: str) -> None:
    """recovery.toml from the example, as its comments say; secrets and certificate beside it."""
    folder = stock.settings.parent
    shell("install", "-d", "-m", "0755", folder, folder / "secrets")
    write(folder / "s3-ca.pem", stock.clouds.ca_file.read_text())
    for name in ("reader", "backup"):
        write(folder / "secrets" / name, secrets.token_hex(24))
    for name in ("s3", "encryption_key"):
        write(folder / "secrets" / name, stock.clouds.secret(name))
    write(stock.settings, _settings(stock, path))


def _settings(stock: Stock, path: str) -> str:
    values: dict[tuple[str, str], object] = {
        ("site", "state_dir"): stock.state_dir,
        ("database", "port"): stock.port,
        ("database", "data_dir"): stock.data_dir,
        ("database", "reader_password"): f"file://{stock.settings.parent}/secrets/reader",
        ("database", "backup_password"): f"file://{stock.settings.parent}/secrets/backup",
        ("backup", "encryption_key"): f"file://{stock.settings.parent}/secrets/encryption_key",
        ("backup", "archive_timeout_seconds"): 15,
        ("services", "database"): f"process:{stock.data_dir}",
        ("application", "health_url"): "http://127.0.0.1:9/health",
    }
    for section, side in (("backup.primary", "east"), ("backup.secondary", "west")):
        values |= {
            (section, "bucket"): BUCKETS[side],
            (section, "region"): REGIONS[side],
            (section, "endpoint"): "127.0.0.1",
            (section, "port"): stock.clouds.ports[f"s3-{side}"],
            (section, "path"): path,
            (section, "ca_file"): stock.settings.parent / "s3-ca.pem",
            (section, "access_key_id"): KEY_ID,
            (section, "secret_access_key"): f"file://{stock.settings.parent}/secrets/s3",
        }
    return edited(EXAMPLE.read_text(), values, without=("standby", "redis"))


def edited(text: str, values: dict[tuple[str, str], object], *, without: tuple[str, ...]) -> str:
    """A settings file in which somebody wrote these values, over the default or the example in its comment."""
    section, lines, left = "", [], dict(values)
    for line in text.splitlines():
        if head := re.match(r"\[([\w.-]+)\]", line):
            section = head[1]
        key = re.match(r"#?(\w+) = ", line)
        if section in without:
            continue
        if key and (section, key[1]) in left:
            value = left.pop((section, key[1]))
            lines.append(f"{key[1]} = {value if isinstance(value, int) else chr(34) + str(value) + chr(34)}")
        else:
            lines.append(line)
    assert not left, f"the example has no {left}"
    return "\n".join(lines) + "\n"


def _clean_up_after_killed_runs() -> None:
    """Clusters of test runs that are gone."""
    for folder in (Path("/etc/postgresql") / VERSION).glob("cvt*n*"):
        owner = folder.name.removeprefix("cvt").partition("n")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            drop_cluster(folder.name)
