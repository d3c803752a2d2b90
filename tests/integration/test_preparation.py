"""Roles that a server has already: what they may, what keeps them out, and what preparing leaves as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.preparation import apply_password, apply_role, backup_role
from recovery.adapters.postgres.standing_roles import read_bar, read_powers
from tests.fix_postgres import Cluster

ROLE = "standing"


@pytest.fixture
def standing(cluster: Cluster) -> Iterator[Cluster]:
    """A role that is there already, with a password of its own."""
    do(cluster, f"DROP ROLE IF EXISTS {ROLE}")
    do(cluster, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'theirs'")
    yield cluster
    do(cluster, f"DROP ROLE {ROLE}")


def do(cluster: Cluster, statement: str) -> None:
    with connect(cluster.admin) as connection:
        connection.execute(statement.encode())


def stored(cluster: Cluster) -> str:
    with connect(cluster.admin) as connection:
        return str(one_row(connection, "SELECT rolpassword FROM pg_authid WHERE rolname = %s", (ROLE,))[0])


def test_a_role_that_is_there_keeps_its_password_until_it_is_said_to_be_another(standing: Cluster) -> None:
    before = stored(standing)
    apply_role(standing.admin, backup_role(ROLE, "ours"))
    assert stored(standing) == before
    apply_password(standing.admin, backup_role(ROLE, "ours"))
    assert stored(standing) != before


def test_what_a_role_may_past_all_rights_is_named(standing: Cluster) -> None:
    assert read_powers(standing.admin, ROLE) == ()
    assert read_powers(standing.admin, "nobody of this name") == ()
    do(standing, f"ALTER ROLE {ROLE} SUPERUSER REPLICATION")
    assert read_powers(standing.admin, ROLE) == ("SUPERUSER", "REPLICATION")


@pytest.mark.parametrize(
    ("change", "bar"),
    [
        ("LOGIN", None),
        ("NOLOGIN", "NOLOGIN"),
        ("CONNECTION LIMIT 0", "CONNECTION LIMIT 0"),
        ("CONNECTION LIMIT 2", None),
        ("VALID UNTIL '2001-02-03 04:05:06+00'", "VALID UNTIL '2001-02-03"),
        ("VALID UNTIL 'infinity'", None),
    ],
)
def test_what_keeps_a_role_out_whatever_its_password_is_named(standing: Cluster, change: str, bar: str | None) -> None:
    do(standing, f"ALTER ROLE {ROLE} {change}")
    found = read_bar(standing.admin, ROLE)
    assert found is bar if bar is None else str(found).startswith(bar)
