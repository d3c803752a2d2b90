"""process:DIR of a real PostgreSQL: what its directory, its processes and its log say, whatever became of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.services.process import PostgresProcess
from recovery.adapters.services.reached import Patience
from recovery.errors import SettingsInvalid, VerificationFailed
from tests.fix_postgres import Cluster, new_cluster
from tests.waiting import until

ENOUGH = Patience(120, 120)


@pytest.fixture(scope="module")
def made() -> Iterator[Cluster]:
    with new_cluster() as cluster:
        cluster.start()
        yield cluster


def service(made: Cluster, patience: Patience = ENOUGH) -> PostgresProcess:
    return PostgresProcess(made.host, made.bin_dir, made.data_dir, patience, log_file=made.folder / "log")


def answers(made: Cluster) -> int:
    with connect(made.admin) as connection:
        return int(one_row(connection, "SELECT 1")[0])


def postmaster(made: Cluster) -> int:
    return int((made.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])


@pytest.fixture(autouse=True)
def _runs(made: Cluster) -> None:
    service(made).start()


def test_it_is_stopped_started_and_restarted_and_what_is_so_already_stays_as_it_is(made: Cluster) -> None:
    postgres, begun = service(made), datetime.now(UTC)
    facts = postgres.read_facts()
    assert (facts.state, facts.pid) == ("running", postmaster(made))
    assert facts.since is not None and begun - facts.since < timedelta(hours=1)
    postgres.start()
    assert postmaster(made) == facts.pid

    postgres.stop()
    down = postgres.read_facts()
    assert (down.state, down.pid, down.detail) == ("stopped", None, "")
    assert down.since is not None and down.since >= begun.replace(microsecond=0)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=str(made.folder), port=made.admin.port, user="postgres", connect_timeout=5)
    postgres.stop()

    postgres.restart()  # one that is down is started, with the options of its last start: socket and port
    first = postmaster(made)
    assert answers(made) == 1
    postgres.restart()
    assert postmaster(made) != first
    assert answers(made) == 1
    assert "database system is ready to accept connections" in postgres.read_log(lines=3)
    assert len(postgres.read_log(lines=2).splitlines()) == 2
    assert postgres.read_log(lines=100, since=datetime.now(UTC) + timedelta(minutes=5)) == ""


def test_a_killed_one_has_failed_and_its_recovery_is_waited_for(made: Cluster) -> None:
    os.kill(postmaster(made), signal.SIGKILL)
    facts = until(lambda: (seen := service(made).read_facts()).ended and seen, what="its processes to end")
    assert facts.state == "failed"
    assert facts.detail.startswith("it was not shut down: in production; postmaster.pid names process ")
    until(lambda: "still work in it" not in service(made).read_facts().detail, what="the last backend to end")
    service(made).start()
    assert answers(made) == 1


def test_a_pid_file_that_names_a_stranger_is_told_and_the_stranger_lives(made: Cluster) -> None:
    postgres = service(made)
    postgres.stop()
    with subprocess.Popen(made.host.command(["sleep", "600"])) as stranger:
        try:
            until(lambda: Path(f"/proc/{stranger.pid}/comm").read_text() == "sleep\n", what="sleep")
            lock = made.data_dir / "postmaster.pid"
            made.host.run(["tee", lock], stdin=f"{stranger.pid}\n{made.data_dir}\n1\n", timeout_seconds=60)
            facts = postgres.read_facts()
            told = f"postmaster.pid names process {stranger.pid}, which is another program today (sleep)"
            assert (facts.state, facts.detail) == ("stopped", told)
            postgres.restart()
            assert answers(made) == 1
            postgres.stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_frozen_one_is_paused_and_a_start_thaws_it(made: Cluster) -> None:
    pid = postmaster(made)
    os.kill(pid, signal.SIGSTOP)
    facts = until(lambda: (seen := service(made).read_facts()).state == "paused" and seen, what="the freeze")
    assert facts.detail == f"frozen by a signal: kill -CONT {pid}"
    service(made).start()
    assert (postmaster(made), answers(made)) == (pid, 1)
    os.kill(pid, signal.SIGSTOP)
    service(made).stop()
    assert service(made).read_facts().state == "stopped"


def test_one_that_does_not_end_is_told_with_its_log_and_the_harder_way(made: Cluster) -> None:
    with connect(made.admin) as connection:
        backend = one_row(connection, "SELECT pg_backend_pid()")[0]
        os.kill(backend, signal.SIGSTOP)  # the postmaster waits for it
        try:
            with pytest.raises(VerificationFailed) as told:
                service(made, Patience(120, 2)).stop()
        finally:
            os.kill(backend, signal.SIGCONT)
    assert told.value.problem.startswith(f"process:{made.data_dir} did not stop: it is stopping\n")
    assert "server does not shut down" in told.value.problem
    assert "received fast shutdown request" in told.value.problem
    assert told.value.next_step.endswith(f"pg_ctl stop -m immediate -D {made.data_dir}")
    until(lambda: service(made).read_facts().ended, what="the end")


def test_one_that_cannot_start_is_told_with_the_reason_in_its_log(made: Cluster) -> None:
    service(made).stop()
    auto = made.data_dir / "postgresql.auto.conf"
    before = auto.read_text()
    auto.write_text("no_such_setting = 1\n")
    try:
        with pytest.raises(VerificationFailed, match='unrecognized configuration parameter "no_such_setting"'):
            service(made).start()
    finally:
        auto.write_text(before)


def test_what_is_no_data_directory_is_not_stopped(made: Cluster) -> None:
    elsewhere = PostgresProcess(made.host, made.bin_dir, made.folder, ENOUGH)
    with pytest.raises(SettingsInvalid, match="there is no PG_VERSION in it"):
        elsewhere.read_facts()
    with pytest.raises(SettingsInvalid, match="there is no log"):
        PostgresProcess(made.host, made.bin_dir, made.data_dir, ENOUGH).read_log(lines=1)
