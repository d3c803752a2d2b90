"""PostgreSQL's and S3's own error types stay inside the adapters."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.no_way_in import NotThisDatabase
from recovery.adapters.s3 import DocumentBucket
from recovery.adapters.secrets import Secrets
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable, VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.settings import AwsSettings, RepoSettings
from tests.fix_postgres import Cluster
from tests.hostile import SHELL, leave_files_in_home
from tests.waiting import until


def refusal(address: DatabaseAddress, sql: Any = "SELECT 1", **options: Any) -> RecoveryError:
    with pytest.raises(RecoveryError) as refused, connect(address, **options) as connection:
        connection.execute(sql)
    return refused.value


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where a connection is taken and nobody ever speaks: slow, not dead."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dead_port() -> Iterator[int]:
    with socket.socket() as bound:  # it is ours, so nobody else can come to listen on it
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_refused_port(dead_port: int) -> None:
    error = refusal(DatabaseAddress("127.0.0.1", dead_port, "clickview", "app", "password-of-app"))
    assert type(error) is TargetUnreachable
    assert error.problem.startswith(f"clickview on 127.0.0.1:{dead_port} does not answer: ")
    assert "password-of-app" not in str(error)


def test_server_that_never_answers_has_a_deadline(silent_port: int) -> None:
    error = refusal(DatabaseAddress("127.0.0.1", silent_port, "clickview", "app"), connect_seconds=2)
    assert type(error) is TargetUnreachable


def test_host_that_has_no_address() -> None:
    assert type(refusal(DatabaseAddress("db1.invalid", 5432, "clickview", "app"))) is TargetUnreachable


def test_missing_socket(tmp_path: Path) -> None:
    assert type(refusal(DatabaseAddress(str(tmp_path), 5432, "clickview", "app"))) is TargetUnreachable


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell and a home in which everything is set that could lead a connection astray."""
    leave_files_in_home(tmp_path)
    for name, value in (SHELL | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("hostile")
def test_the_shell_and_the_user_s_files_change_nothing(cluster: Cluster) -> None:
    """PGSERVICE broke the data checks: no parameter wins over it."""
    with connect(cluster.admin) as connection:
        row = connection.execute(
            "SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('DateStyle'),"
            " current_setting('statement_timeout'), current_setting('application_name'), count(*) FROM pg_class"
        ).fetchone()
    assert row is not None
    path, zone, style, timeout, name, _ = row
    assert (path, style, timeout, name) == ('"$user", public', "ISO, MDY", "30s", "clickview-recovery")
    assert zone != "Pacific/Apia"


@pytest.mark.usefixtures("hostile")
def test_a_password_is_the_settings_own_or_none(cluster: Cluster) -> None:
    """Not of PGPASSWORD, not of ~/.pgpass: `admin_password` unset means that the server must not ask."""
    with connect(cluster.admin) as connection:
        connection.execute("CREATE ROLE asked LOGIN PASSWORD 'wrong'")  # as ~/.pgpass and PGPASSWORD have it
    hba = cluster.data_dir / "pg_hba.conf"
    trusting = hba.read_text()
    try:
        hba.write_text(f"local all asked scram-sha-256\n{trusting}")
        _reload(cluster)
        until(lambda: isinstance(_outcome(replace(cluster.admin, user="asked")), SettingsInvalid), what="the new rules")
        assert _outcome(replace(cluster.admin, user="asked", password="wrong")) is None
    finally:
        hba.write_text(trusting)
        _reload(cluster)
        with connect(cluster.admin) as connection:
            connection.execute("DROP ROLE asked")


def _reload(cluster: Cluster) -> None:
    with connect(cluster.admin) as connection:
        connection.execute("SELECT pg_reload_conf()")


def _outcome(address: DatabaseAddress) -> RecoveryError | None:
    try:
        with connect(address):
            return None
    except RecoveryError as error:
        return error


def test_what_a_server_refuses(cluster: Cluster) -> None:
    admin = cluster.admin
    assert type(refusal(replace(admin, name="none"))) is NotThisDatabase
    assert type(refusal(replace(admin, user="nobody"))) is SettingsInvalid
    assert type(refusal(admin, "SELECT pg_sleep(30)", statement_seconds=0.2)) is TargetUnreachable
    assert type(refusal(admin, "SELECT * FROM no_such_table")) is VerificationFailed
    assert type(refusal(admin, "SELECT 1/0")) is VerificationFailed
    assert type(refusal(admin, "CREATE TABLE t ()", read_only=True)) is VerificationFailed


def test_wrong_password(cluster: Cluster) -> None:
    """The server of the tests trusts everybody, so it is told to ask one role for its password."""
    hba = cluster.data_dir / "pg_hba.conf"
    before = hba.read_text()
    with connect(cluster.admin) as connection:
        connection.execute("CREATE ROLE asked LOGIN PASSWORD 'the-right-password'")
        try:
            hba.write_text(f"local all asked scram-sha-256\n{before}")
            connection.execute("SELECT pg_reload_conf()")
            asked = replace(cluster.admin, user="asked")
            # The reload is a signal: until it is there, the server asks nobody.
            error = until(lambda: _refused(replace(asked, password="wrong-password")), what="a refusal")
            assert error.problem == (
                f"postgres on {asked.host}:{asked.port}: role asked was refused (password or pg_hba.conf):"
                ' FATAL: password authentication failed for user "asked"'
            )
            assert "wrong-password" not in str(error)
            with connect(replace(asked, password="the-right-password")) as allowed:
                assert allowed.execute("SELECT current_user").fetchone() == ("asked",)
        finally:
            hba.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP ROLE asked")


def _refused(address: DatabaseAddress) -> RecoveryError | None:
    try:
        with connect(address) as connection:
            connection.execute("SELECT pg_sleep(0.02)")
    except RecoveryError as error:
        return error
    return None


def test_server_that_dies_in_the_middle_of_a_session(cluster: Cluster) -> None:
    def use_a_session_that_was_ended() -> None:
        with connect(cluster.admin) as other, connect(cluster.admin) as connection:
            pid = connection.execute("SELECT pg_backend_pid()").fetchone()
            other.execute("SELECT pg_terminate_backend(%s)", pid)
            connection.execute("SELECT 1")

    with pytest.raises(TargetUnreachable):
        use_a_session_that_was_ended()


def test_bucket_that_does_not_answer(dead_port: int) -> None:
    repo = RepoSettings.model_validate(
        {
            "bucket": "clickview-backups",
            "endpoint": "127.0.0.1",
            "port": dead_port,
            "access_key_id": "AKIANOBODY",
            "secret_access_key": "secret-of-nobody",
        }
    )
    bucket = DocumentBucket(repo, "clickview-backups", "evidence", Secrets(AwsSettings()))
    with pytest.raises(TargetUnreachable, match="bucket clickview-backups does not answer"):
        bucket.keep("one", b"x")


@pytest.mark.parametrize("reference", ["file:///none/secret", "file:///"])
def test_secret_file_that_is_not_there(reference: str) -> None:
    from pydantic import SecretStr

    with pytest.raises(SettingsInvalid):
        Secrets(AwsSettings()).reveal(SecretStr(reference))


def test_what_the_server_says_is_no_silence(cluster: Cluster) -> None:
    """psycopg counts what a server cannot do just now (classes 53 to 58) as a failed operation, like silence."""
    with connect(cluster.admin) as connection:
        connection.execute("CREATE MATERIALIZED VIEW unfilled AS SELECT 1 WITH NO DATA")
    try:
        error = refusal(cluster.admin, "SELECT * FROM unfilled")
        assert type(error) is VerificationFailed
        assert "has not been populated" in error.problem
    finally:
        with connect(cluster.admin) as connection:
            connection.execute("DROP MATERIALIZED VIEW unfilled")


def test_a_deadline_longer_than_the_server_can_count(cluster: Cluster) -> None:
    with connect(cluster.admin, statement_seconds=100 * 86400) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
