"""A server that speaks German: why it lets nobody in is known all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.no_way_in import NotThisDatabase
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.facts import DatabaseAddress
from tests.conftest import require_programs
from tests.fix_postgres import Cluster, new_cluster


@pytest.fixture(scope="module")
def german() -> Iterator[Cluster]:
    """A server with `lc_messages` of its own, as a German administrator's; its locale is made for it."""
    require_programs("localedef")
    with new_cluster() as cluster:
        places = cluster.folder / "locales"
        cluster.host.run(["mkdir", places], timeout_seconds=60)
        cluster.host.run(["localedef", "-i", "de_DE", "-f", "UTF-8", places / "de_DE.UTF-8"], timeout_seconds=120)
        cluster.start("-c lc_messages=de_DE.UTF-8", env={"LOCPATH": str(places)})
        rules = "local all asked scram-sha-256\nlocal all rejected reject\n"
        hba = cluster.data_dir / "pg_hba.conf"
        hba.write_text(rules + hba.read_text())
        with connect(cluster.admin) as connection:
            connection.execute("SELECT pg_reload_conf()")
            for name in ("asked", "rejected", "outside", "plain"):
                connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'right'".encode())
            connection.execute("ALTER ROLE plain CONNECTION LIMIT 0")
            connection.execute("CREATE DATABASE closed")
            connection.execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
            connection.execute("CREATE DATABASE shut ALLOW_CONNECTIONS false")
        yield cluster


def refused(address: DatabaseAddress) -> RecoveryError:
    with pytest.raises(RecoveryError) as error, connect(address):
        pass
    return error.value


def test_it_speaks_german(german: Cluster) -> None:
    error = refused(replace(german.admin, user="niemand"))
    assert type(error) is SettingsInvalid
    assert error.problem.endswith("did not let role niemand in: FATAL: Rolle >>niemand<< existiert nicht")


def test_wrong_password(german: Cluster) -> None:
    error = refused(replace(german.admin, user="asked", password="wrong"))
    assert type(error) is SettingsInvalid
    assert "did not let role asked in: FATAL: Passwort-Authentifizierung" in error.problem
    with connect(replace(german.admin, user="asked", password="right")):
        pass


def test_a_rule_that_rejects(german: Cluster) -> None:
    assert "role rejected was refused" in refused(replace(german.admin, user="rejected")).problem


def test_a_database_that_is_not_there(german: Cluster) -> None:
    error = refused(replace(german.admin, name="none"))
    assert type(error) is NotThisDatabase
    assert error.problem == f"there is no database none on {german.admin.host}:{german.admin.port}"


@pytest.mark.parametrize(("name", "user"), [("closed", "outside"), ("shut", "postgres")])
def test_a_database_that_is_closed(german: Cluster, name: str, user: str) -> None:
    error = refused(replace(german.admin, name=name, user=user))
    assert type(error) is NotThisDatabase
    assert error.problem.endswith(f"role {user} may not connect to this database")
    assert "GRANT CONNECT" in error.next_step


def test_the_server_itself_is_seen_without_the_database_postgres(german: Cluster) -> None:
    server = replace(german.admin, name="")
    with connect(replace(german.admin, name="template1")) as connection:
        connection.execute("DROP DATABASE postgres WITH (FORCE)")
    try:
        with connect(server) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("template1",)
        assert "there is no database none" in refused(replace(german.admin, name="none")).problem
    finally:
        with connect(server) as connection:
            connection.execute("CREATE DATABASE postgres")
    with connect(server) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("postgres",)


def test_a_server_that_is_not_there_is_told_from_one_that_refuses(german: Cluster, tmp_path: Path) -> None:
    assert type(refused(replace(german.admin, host=str(tmp_path)))) is TargetUnreachable
