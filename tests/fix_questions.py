"""`recover ask` (naps/asks.py) as somebody starts it: from a program, or at a real terminal."""

from __future__ import annotations

import itertools
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from recovery.approval import Approvals
from recovery.facts import Incident, Request
from recovery.incident import IncidentFolder
from recovery.settings import load_settings
from recovery.site import Site
from sandbox import site as sandbox_site
from sandbox.layout import Sandbox
from tests.fix_prefect import NAPS, Served, run_recover
from tests.stops import as_at_a_terminal
from tests.waiting import PATIENCE, until

_MAIN = "from recovery.cli import app; app._GROUPS['ask'] = ('ask_command', 'Ask.'); "
_MAIN += "from recovery.cli.main import main; main()"
_numbers = itertools.count(1)
_LONG = 3600  # a lease that no slow machine lets grow stale


@dataclass
class Asked:
    """A `recover ask` that somebody started; its terminal, when it has one."""

    process: subprocess.Popen[bytes]
    terminal: int | None
    _shown: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def shown(self) -> str:
        """What it said so far."""
        return self._shown.decode(errors="replace")

    def type(self, text: str) -> None:
        """Type at its terminal."""
        assert self.terminal is not None
        os.write(self.terminal, text.encode())

    def answer(self, question: str, text: str) -> None:
        """Type an answer once a question is there; what was shown until then is forgotten."""
        until(lambda: question in self.shown, what=lambda: self.shown)
        del self._shown[:]
        self.type(text)

    def ended(self, status: int) -> str:
        """What it said, when it has ended with this status."""
        found = self.process.wait(PATIENCE)
        until(lambda: self._over, what=lambda: self.shown)
        assert found == status, self.shown
        return self.shown

    _over: bool = False

    def _read(self) -> None:
        source = self.terminal if self.terminal is not None else self.process.stderr.fileno()  # type: ignore[union-attr]
        with suppress(OSError):  # a terminal that nobody has open any more
            while more := os.read(source, 4096):
                self._shown += more
        self._over = True


@dataclass(frozen=True)
class Asking:
    """One machine: a settings file, a state folder; and an incident with the file that is written when somebody says yes."""

    settings_file: Path
    state_dir: Path
    environment: dict[str, str]
    incident: str
    file: Path
    started: list[Asked] = field(default_factory=list)

    def another(self) -> Asking:
        """The same machine in another incident."""
        number = next(_numbers)
        incident = f"INC-{os.getpid()}-{number}"
        return replace(self, incident=incident, file=self.file.with_name(f"written-{number}"), started=self.started)

    def start(self, *options: str, terminal: bool = False, server: bool = False) -> Asked:
        """Start it; it goes on by itself."""
        argv = [sys.executable, "-P", "-c", _MAIN, "ask", self.incident, str(self.file), *options]
        unset = "RECOVERY_NO_SERVER" if server else ""
        environment = {name: value for name, value in self.environment.items() if name != unset}
        if not terminal:
            made = subprocess.Popen(
                argv,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            asked = Asked(made, None)
        else:
            ours, theirs = pty.openpty()
            with as_at_a_terminal():
                made = subprocess.Popen(
                    argv, env=environment, cwd="/", preexec_fn=lambda: os.login_tty(theirs), pass_fds=(theirs,)
                )
            os.close(theirs)
            asked = Asked(made, ours)
        self.started.append(asked)
        return asked

    def ask(self, *options: str) -> Asked:
        """Start it, and have it wait for an answer."""
        asked = self.start(*options)
        self.waiting(asked)
        return asked

    def waiting(self, asked: Asked | None = None) -> Request:
        """What waits, once something does."""
        until(self.approvals.waiting, what=lambda: asked.shown if asked else str(self.events()))
        return self.approvals.waiting()[0]

    def recover(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`recover …` from another shell of this machine."""
        return run_recover(self.environment, *words)

    def approve(self, *options: str, by: str = "ada", reason: str = "users wait") -> subprocess.CompletedProcess[str]:
        """`recover approve` from another shell."""
        return self.recover("approve", self.incident, "--by", by, "--reason", reason, *options)

    @property
    def folder(self) -> IncidentFolder:
        return IncidentFolder(self.incident, self.state_dir / "incidents" / self.incident)

    @property
    def approvals(self) -> Approvals:
        return Approvals(self.folder.folder / "approvals")

    def record(self) -> Incident:
        return self.folder.read()

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What was noted of the incident: `by` and the details."""
        found = self.record().events
        return [{"by": one.by, **one.details} for one in found if not kinds or one.event in kinds]

    def written(self) -> list[str]:
        """The plans that were carried out: what counts in the end."""
        return self.file.read_text().split() if self.file.exists() else []


@pytest.fixture
def asking(served: Served) -> Iterator[Asking]:
    """Asking on the site of the session's server."""
    folder = served.sandbox.folder / "asked"
    folder.mkdir(exist_ok=True, mode=0o777)
    folder.chmod(0o777)
    yield from _asking(Asking(served.settings_file, served.state_dir, served.environment, "", folder / "none"))


def _asking(first: Asking) -> Iterator[Asking]:
    yield first.another()
    for one in first.started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        if one.terminal is not None:
            os.close(one.terminal)


@pytest.fixture
def machines(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asking, Asking]]:
    """Two machines of one site: each has a state folder of its own, both have the bucket. Nobody holds the site."""
    documents = Site(load_settings(sandbox.settings_file, {})).evidence
    documents.remove("clickview.lease")
    folder = sandbox.folder / f"machines-{next(_numbers)}"
    folder.mkdir()
    made, started = [], []
    for name in ("one", "two"):
        settings_file, state_dir = folder / f"{name}.toml", folder / name
        text = sandbox.settings_file.read_text()
        known = f'state_dir = "{sandbox.state_dir}"\n'
        assert text.count(known) == 1
        settings_file.write_text(text.replace(known, f'state_dir = "{state_dir}"\nlease_seconds = {_LONG}\n'))
        environment = dict(os.environ) | sandbox_site.recover_environment(sandbox)
        environment |= {"RECOVERY_CONFIG": str(settings_file), "PYTHONPATH": str(NAPS)}
        made.append(Asking(settings_file, state_dir, environment, "", folder / "none", started))
    first = made[0].another()
    second = replace(made[1], incident=first.incident, file=first.file)
    yield first, second
    for _ in _asking(first):
        pass


def with_settings(asking: Asking, name: str, more: str) -> Asking:
    """The same machine with another settings file, which has this beside the usual."""
    settings_file = asking.settings_file.with_name(f"{name}.toml")
    settings_file.write_text(f"{asking.settings_file.read_text()}\n{more}\n")
    environment = asking.environment | {"RECOVERY_CONFIG": str(settings_file)}
    return replace(asking, settings_file=settings_file, environment=environment)


def with_a_short_lease(asking: Asking) -> Asking:
    """The same machine, with a lease that ends soon after it died."""
    settings_file = asking.settings_file.with_name("short-lease.toml")
    settings_file.write_text(asking.settings_file.read_text().replace(f"lease_seconds = {_LONG}", "lease_seconds = 5"))
    environment = asking.environment | {"RECOVERY_CONFIG": str(settings_file)}
    return replace(asking, settings_file=settings_file, environment=environment)
