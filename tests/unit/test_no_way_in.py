"""What a server's refusal means."""

from __future__ import annotations

import pytest

from recovery.adapters.postgres import no_way_in as module
from recovery.adapters.postgres.no_way_in import NotThisDatabase, _refused
from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.facts import DatabaseAddress

ADDRESS = DatabaseAddress("db1", 5432, "clickview", "app")


def meant(words: str) -> RecoveryError:
    text = module._said(f"connection failed: connection to server at db1, port 5432 failed: {words}")
    return _refused(text, ADDRESS, lambda: None)


@pytest.mark.parametrize(
    ("words", "kind", "problem"),
    [
        ('FATAL: database "clickview" does not exist', NotThisDatabase, "there is no database clickview on db1:5432"),
        (
            'FATAL: database "clickview" does not exist DETAIL: The database subdirectory "base/1" is missing.',
            SettingsInvalid,
            'clickview on db1:5432 did not let role app in: FATAL: database "clickview" does not exist DETAIL: The'
            ' database subdirectory "base/1" is missing.',
        ),
        (
            # Without encryption, after it was refused with.
            'FATAL: no pg_hba.conf entry for database "clickview", SSL encryption connection to server failed: FATAL:'
            ' role "app" does not exist',
            SettingsInvalid,
            'clickview on db1:5432: role app was refused (password or pg_hba.conf): FATAL: role "app" does not exist',
        ),
        (
            "FATAL: sorry, too many clients already",
            TargetUnreachable,
            "clickview on db1:5432 has no connection left: FATAL: sorry, too many clients already",
        ),
        (
            'FATAL: permission denied for database "clickview" DETAIL: User does not have CONNECT privilege.',
            NotThisDatabase,
            "clickview on db1:5432: role app may not connect to this database",
        ),
        (
            "FATAL: no such database: clickview",  # pgbouncer
            SettingsInvalid,
            "clickview on db1:5432 did not let role app in: FATAL: no such database: clickview",
        ),
    ],
)
def test_what_is_meant(words: str, kind: type[RecoveryError], problem: str) -> None:
    error = meant(words)
    assert (type(error), error.problem) == (kind, problem)
