"""process:DIR of a real Redis: found by the directory that it works in, without a pid file, and never a stranger."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from recovery.adapters.process import Host
from recovery.adapters.services.reached import Patience
from recovery.adapters.services.redis_answer import Endpoint
from recovery.adapters.services.redis_process import RedisProcess
from recovery.errors import SettingsInvalid, VerificationFailed
from recovery.ports import release_ports, reserve_ports
from recovery.redaction import remember_secret
from tests.conftest import require_programs
from tests.waiting import until

PASSWORD = remember_secret("the-password-of-this-redis")
ENOUGH = Patience(120, 120)
AS_ROOT = os.geteuid() == 0
HOST = Host(("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--") if AS_ROOT else ())


@dataclass(frozen=True)
class Made:
    """A folder with a redis.conf, and how the server in it is reached."""

    folder: Path
    endpoint: Endpoint

    def service(self, patience: Patience = ENOUGH, **other: Any) -> RedisProcess:
        return RedisProcess(HOST, self.folder, patience, lambda: replace(self.endpoint, **other))

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.endpoint.port, password=PASSWORD)

    def configure(self, *lines: str) -> None:
        file = self.folder / "redis.conf"
        text = ["bind 127.0.0.1", f"port {self.endpoint.port}", f"requirepass {PASSWORD}", f"dir {self.folder}"]
        file.write_text("\n".join([*text, "appendonly yes", 'save ""', *lines]) + "\n")


@pytest.fixture
def made() -> Iterator[Made]:
    require_programs("redis-server")
    with _folder() as folder:
        one = Made(folder, Endpoint("127.0.0.1", reserve_ports(folder, ["redis"])["redis"], PASSWORD))
        one.configure()
        try:
            yield one
        finally:
            _end(one)


def _folder() -> Any:
    folder = tempfile.TemporaryDirectory(prefix="cvredis", dir="/tmp")
    if AS_ROOT:
        shutil.chown(folder.name, "postgres", "postgres")
    return _Opened(folder)


class _Opened:
    def __init__(self, folder: Any) -> None:
        self._folder = folder

    def __enter__(self) -> Path:
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        release_ports(Path(self._folder.name))
        self._folder.cleanup()


def _end(made: Made) -> None:
    made.folder.chmod(0o700)
    made.configure()
    pid = made.service(password=None).read_facts().pid
    if pid:
        os.kill(pid, signal.SIGKILL)
        until(lambda: made.service().read_facts().pid is None, what="its end")


def test_it_is_started_stopped_and_restarted_without_a_pid_file(made: Made) -> None:
    service = made.service()
    never = service.read_facts()
    assert (never.state, never.detail) == ("stopped", "it has no log that would say how it ended")
    service.stop()

    service.start()
    first = service.read_facts()
    assert (first.state, first.healthy) == ("running", True)
    assert first.since is not None and abs(datetime.now(UTC) - first.since) < timedelta(hours=1)
    made.client.set("kept", "yes")
    service.start()
    assert service.read_facts().pid == first.pid

    (made.folder / "redis.pid").unlink()
    service.restart()
    second = service.read_facts()
    assert second.pid not in (None, first.pid)
    assert made.client.get("kept") == b"yes"
    assert "Ready to accept connections" in service.read_log(lines=5)

    service.stop()
    assert (service.read_facts().state, service.read_facts().pid) == ("stopped", None)
    with pytest.raises(redis.ConnectionError):
        made.client.ping()
    service.stop()
    service.restart()
    assert made.client.get("kept") == b"yes"


def test_a_killed_one_has_failed_and_a_frozen_one_is_paused(made: Made) -> None:
    service = made.service()
    service.start()
    pid = service.read_facts().pid or 0
    os.kill(pid, signal.SIGSTOP)
    paused = until(lambda: (seen := service.read_facts()).state == "paused" and seen, what="the freeze")
    assert paused.detail == f"frozen by a signal: kill -CONT {pid}"
    service.start()
    assert (service.read_facts().pid, service.read_facts().healthy) == (pid, True)
    os.kill(pid, signal.SIGKILL)
    failed = until(lambda: (seen := service.read_facts()).ended and seen, what="its end")
    assert failed.state == "failed"
    assert failed.detail.startswith("it was not told to end; the last line of its log: ")
    service.start()
    os.kill(service.read_facts().pid or 0, signal.SIGSTOP)
    service.stop()
    assert service.read_facts().state == "stopped"


def test_a_stranger_is_neither_taken_for_it_nor_ended(made: Made) -> None:
    with _folder() as elsewhere, subprocess.Popen(["sleep", "600"], cwd=made.folder) as visitor:
        stranger = Made(elsewhere, made.endpoint)
        stranger.configure()
        try:
            stranger.service().start()
            for act in (made.service().read_facts, made.service().stop, made.service().start):
                with pytest.raises(SettingsInvalid) as told:
                    act()
                place = f"127.0.0.1:{made.endpoint.port}"
                assert told.value.problem == f"a Redis answers at {place}, and none works in {made.folder}"
            assert stranger.service().read_facts().healthy is True
            stranger.service().stop()
            assert made.service().read_facts().state == "stopped"
            assert visitor.poll() is None
        finally:
            visitor.kill()
            _end(stranger)


def test_two_at_one_place_are_told_apart(made: Made) -> None:
    """Ours was given another port by hand, and a stranger answers at the one in the settings."""
    with _folder() as elsewhere:
        stranger = Made(elsewhere, made.endpoint)
        stranger.configure()
        try:
            port = reserve_ports(made.folder, ["other"])["other"]
            made.configure(f"port {port}")
            made.service(port=port).start()
            stranger.service().start()
            facts = made.service().read_facts()
            other = stranger.service().read_facts().pid
            assert (facts.state, facts.healthy) == ("running", False)
            assert facts.detail == f"another Redis (process {other}) answers in its place"
            with pytest.raises(VerificationFailed, match="does not run: it is running, another Redis"):
                made.service(Patience(1, 120)).start()
            assert stranger.service().read_facts().healthy is True
        finally:
            _end(stranger)


def test_one_that_refuses_our_password_runs(made: Made) -> None:
    made.service().start()
    facts = made.service(password="wrong").read_facts()
    assert (facts.state, facts.healthy) == ("running", None), "who is not let in cannot say"
    assert facts.detail.startswith("it answers, and refuses us: ")
    made.service(password="wrong").restart()
    assert made.client.ping() is True


def test_one_that_cannot_start_is_told_with_what_it_said(made: Made) -> None:
    made.configure("no-such-directive yes")
    with pytest.raises(VerificationFailed) as told:
        made.service().start()
    assert f"process:{made.folder} does not run: it is stopped" in told.value.problem
    assert "Bad directive or wrong number of arguments" in told.value.problem
    (made.folder / "redis.conf").unlink()
    with pytest.raises(SettingsInvalid, match=r"there is no redis\.conf in it"):
        made.service().read_facts()


def test_one_that_cannot_write_its_data_does_not_end_and_that_is_told(made: Made) -> None:
    made.configure("appendonly no", "save 3600 1")
    made.service().start()
    made.client.set("kept", "yes")
    made.folder.chmod(0o500)
    with pytest.raises(VerificationFailed) as told:
        made.service(Patience(120, 2)).stop()
    assert told.value.problem.startswith(f"process:{made.folder} did not stop: it is running\n")
    assert "Errors trying to shut down the server" in told.value.problem
    assert made.client.get("kept") == b"yes"
    made.folder.chmod(0o700)
    made.service().stop()


def test_the_password_is_masked_in_its_log(made: Made) -> None:
    made.service().start()
    (made.folder / "redis.log").open("ab").write(b"\xff\x00\x1b[31m AUTH the-password-of-this-redis\n")
    said = made.service().read_log(lines=1)
    assert said == "\ufffd\ufffd\ufffd[31m AUTH •••"


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_a_process_that_must_not_be_looked_at_is_not_taken_for_none(made: Made) -> None:
    made.service().start()
    made.folder.chmod(0o755)
    stranger = Host(("env", "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"))
    os.chmod(made.folder / "redis.conf", 0o644)
    asked = RedisProcess(stranger, made.folder, ENOUGH, lambda: made.endpoint)
    for act in (asked.read_facts, asked.start, asked.stop):
        with pytest.raises(SettingsInvalid, match=r"where process \d+ \(redis-server\) works cannot be seen"):
            act()
    assert made.client.ping() is True
