"""A site with backups to drill on, and `recover` run against it as an engineer runs it."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.environment import our_environment
from recovery.facts import DatabaseAddress
from sandbox import notes, processes, services, site
from sandbox.layout import Sandbox, load
from tests import abroad
from tests.hostile import hostile_shell, leave_files_in_home
from tests.sandbox_commands import RECOVER, sandbox_command
from tests.waiting import PATIENCE, until

_numbers = itertools.count()


@dataclass(frozen=True)
class Ended:
    """A `recover` command that ended."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def said(self) -> str:
        """Its error message, without the steps that came before it."""
        return self.stderr[self.stderr.index("recover: ") :].removeprefix("recover: ").strip()


@dataclass(frozen=True)
class Drill:
    """A site to drill on. `settings` is its recovery.toml, or a variant of it; `program` is what `recover` is."""

    sandbox: Sandbox
    settings: Path
    more: dict[str, str] = field(default_factory=dict)
    program: Sequence[str] = tuple(RECOVER)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `recover …` and do not wait."""
        environment = our_environment(site.recover_environment(self.sandbox) | self.more)
        environment["RECOVERY_CONFIG"] = str(self.settings)
        pipe = subprocess.PIPE
        return subprocess.Popen([*self.program, *words], env=environment, cwd="/", stdout=pipe, stderr=pipe, text=True)

    def run(self, *words: str, seconds: float = PATIENCE) -> Ended:
        """`recover …` in a process of its own; it must end before the deadline."""
        begin = time.monotonic()
        with self.start(*words) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                pytest.fail(f"recover {' '.join(words)} hangs; so far it said:\n{err}{out}")
        return Ended(process.returncode, out, err, time.monotonic() - begin)

    def done(self, *words: str, seconds: float = PATIENCE) -> Ended:
        """`recover …` that must succeed."""
        ended = self.run(*words, seconds=seconds)
        assert ended.status == 0, f"recover {' '.join(words)} ended with {ended.status}:\n{ended.stderr}{ended.stdout}"
        return ended

    def refusal(self, *words: str, status: int, seconds: float = PATIENCE) -> str:
        """What `recover …` said when it failed; it must end with this status."""
        ended = self.run(*words, seconds=seconds)
        assert ended.status == status, f"{ended.status} instead of {status}:\n{ended.stderr}{ended.stdout}"
        return ended.said

    def usage_error(self, *words: str) -> str:
        """What `recover …` said of words that it does not take; nothing was looked at."""
        ended = self.run(*words)
        assert (ended.status, ended.stdout) == (2, ""), f"{ended.status}:\n{ended.stderr}{ended.stdout}"
        return ended.stderr[ended.stderr.index("Error: ") :].removeprefix("Error: ").strip()

    def sets(self, *options: str) -> list[dict[str, Any]]:
        """The backup sets, newest first."""
        found: list[dict[str, Any]] = self.done("backup", "list", *options, "--json").json
        return found

    def restored(self, *options: str) -> dict[str, Any]:
        """The report of a restore that must succeed."""
        report: dict[str, Any] = self.done("backup", "restore", *options, "--json").json
        return report

    def drop(self, report: dict[str, Any]) -> None:
        """Drop the copy of a restore."""
        self.done("backup", "drop-copy", report["copy"])

    def variant(self, section: str, **values: object) -> Drill:
        """The same site with other values in one section of its settings."""
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        text, head = self.settings.read_text(), f"[{section}]\n"
        return self._with(text.replace(head, head + lines) if head in text else f"{text}\n{head}{lines}")

    def without(self, section: str) -> Drill:
        """The same site without one section of its settings."""
        text = re.sub(
            rf"^\[{re.escape(section)}\]\n(?:[^\[].*\n|\n)*", "", self.settings.read_text(), flags=re.MULTILINE
        )
        return self._with(text)

    def _with(self, text: str) -> Drill:
        file = self.settings.with_name(f"variant-{next(_numbers)}.toml")
        file.touch(mode=0o600)
        file.write_text(text)
        return Drill(self.sandbox, file, self.more)

    def sql(self, query: str, *parameters: object, address: DatabaseAddress | None = None) -> Any:
        """One value from the site's database (or another one), as superuser."""
        with connect(address or self.sandbox.admin_address()) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        return row[0] if row else None

    def do(self, *statements: str) -> None:
        """Change something in the site's database, as superuser."""
        with connect(self.sandbox.admin_address()) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def commit_seen_after(self, moment: datetime) -> None:
        """Wait until the writer has certainly committed something after a moment."""
        until(lambda: notes.committed_after(self.notes(), moment), what="a later write")

    def notes(self) -> list[notes.Write]:
        return notes.read_notes(self.sandbox.notes_file)

    def compared(self, report: dict[str, Any], moment: datetime) -> notes.Comparison:
        """A restored copy against what the writer was told by this moment."""
        return notes.compare(address_of(report), self.notes(), moment)

    def leftovers(self) -> list[str]:
        """What a killed run may have left: copies, their processes, half-loaded databases, locks held."""
        scratch = self.sandbox.state_dir / "scratch"
        found = [file.name for file in scratch.iterdir()] if scratch.exists() else []
        for pid in processes.all_pids(self.sandbox.folder):
            command = _command(pid)
            if str(scratch) in command or "expectations" in command or " backup " in command:
                found.append(command)
        with connect(self.sandbox.admin_address()) as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'recovering%'").fetchall()
        return found + [row[0] for row in rows]

    def assert_live_and_archiving(self) -> None:
        """The live site answers, writes, and its WAL still leaves."""
        site.wait_until_healthy(self.sandbox)
        segment = self.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        self.sql("SELECT pg_create_restore_point('drill'), pg_switch_wal()")
        until(
            lambda: (self.sql("SELECT last_archived_wal FROM pg_stat_archiver") or "") >= segment,
            what=f"archiving of {segment}",
        )


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def address_of(report: dict[str, Any]) -> DatabaseAddress:
    """How the copy of a restore is reached."""
    return DatabaseAddress(**report["address"])


def text(moment: datetime) -> str:
    """A moment as it is typed."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def paused_writer(sandbox: Sandbox) -> None:
    """Stop the application's writer; its notes are then complete."""
    services.stop(services.find(sandbox, "writer"))


@pytest.fixture(scope="session")
def drill(sandbox_room: Path) -> Iterator[Drill]:
    """One site with a full backup in each region, for drills that leave it as it was.

    It was made, and all commands on it are typed, in a shell in which everything is set that could lead them astray:
    so every drill on it shows that nothing does.
    """
    folder, home = sandbox_room / "drill", sandbox_room / "home"
    home.mkdir()
    leave_files_in_home(home)
    shell = hostile_shell(folder / "primary" / "data") | {"HOME": str(home)} | abroad.shell()
    try:
        done = sandbox_command(folder, "up", "--first-backup", "--rate=8", shell=shell)
        assert done.returncode == 0, done.stderr
        made = load(folder)
        abroad.settle(made)
        yield Drill(made, made.settings_file, shell)
    finally:
        site.down(folder)


@pytest.fixture
def new_drill(sandbox_room: Path) -> Iterator[Callable[..., Drill]]:
    """Make a site of its own for a drill that breaks it."""
    made: list[Path] = []

    def make(*, first_backup: bool = True, rate: float = 10.0, **options: Any) -> Drill:
        made.append(sandbox_room / f"drill-{next(_numbers)}")
        sandbox = site.up(made[-1], first_backup=first_backup, transactions_per_second=rate, **options)
        abroad.settle(sandbox)
        return Drill(sandbox, sandbox.settings_file, abroad.shell())

    yield make
    for folder in made:
        site.down(folder)


def seconds_ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
