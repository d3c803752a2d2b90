"""What an existing site needs, and what may be asked for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.readiness import changes_refusal, preparation_refusal, roles_refusal, user_refusal
from recovery.cli import settings as settings_command
from recovery.site import site
from tests.unit.build import server, settings


@pytest.mark.parametrize(
    ("apply", "restart", "first_backup", "said"),
    [
        (False, False, False, None),
        (True, True, True, None),
        (False, True, False, "--restart does nothing without --apply"),
        (False, False, True, "--first-backup does nothing without --apply"),
        (False, True, True, "--restart does nothing without --apply"),
    ],
)
def test_without_apply_nothing_else_is_asked_for(
    apply: bool, restart: bool, first_backup: bool, said: str | None
) -> None:
    assert changes_refusal(apply, {"restart": restart, "first_backup": first_backup}) == said


@pytest.mark.parametrize(
    ("version", "said"),
    [(130014, "PostgreSQL 13 is older than 15"), (140011, "PostgreSQL 14 is older than 15"), (150000, None)],
)
def test_a_server_that_lacks_the_rights_and_functions_is_not_prepared(version: int, said: str | None) -> None:
    prepared = settings(database={"data_dir": "/data"})
    assert preparation_refusal(server(version=version), (2, 50), prepared) == said


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("14.11 (Debian 14.11-1)", "PostgreSQL 14 is older than 15"),
        ("15.6", None),
        ("16beta1", None),
        ("of somebody", None),
    ],
)
def test_the_check_of_the_settings_names_programs_that_are_too_old(
    version: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_ctl"
    program.write_text(f"#!/bin/sh\necho 'pg_ctl (PostgreSQL) {version}'\n")
    program.chmod(0o755)
    file = tmp_path / "recovery.toml"
    file.write_text(
        f'[database]\nbin_dir = "{tmp_path}"\n[backup]\nencryption_key = "k"\n[backup.primary]\nbucket = "bucket"\n'
    )
    monkeypatch.setenv("RECOVERY_CONFIG", str(file))
    site.cache_clear()
    try:
        problems = settings_command._missing_files()
    finally:
        site.cache_clear()
    where = f"database.bin_dir: {said} ({tmp_path}); write the bin directory of a newer one"
    assert [one for one in problems if "bin_dir" in one] == ([where] if said else [])


def test_root_prepares_only_with_a_prefix_that_makes_another_of_it() -> None:
    said = "this is run as root, and with database.command_prefix empty pgBackRest would be, too"
    prefixed = settings(database={"command_prefix": ["runuser", "-u", "postgres", "--"]})
    assert [user_refusal(user, settings()) for user in (0, 104)] == [said, None]
    assert user_refusal(0, prefixed) is None


@pytest.mark.parametrize(
    ("database", "powers", "said"),
    [
        ({}, {}, None),
        ({}, {"clickview_recovery_reader": ("BYPASSRLS",)}, None),
        ({"backup_user": "postgres"}, {}, "database.backup_user is postgres, and so is database.admin_user"),
        ({"reader_user": "clickview"}, {}, "database.reader_user is clickview, and so is database.user"),
        (
            {"backup_user": "dump"},
            {"dump": ("CREATEDB", "BYPASSRLS")},
            "database.backup_user is dump, a role that is there already and is CREATEDB and BYPASSRLS",
        ),
        (
            {"reader_user": "dba"},
            {"dba": ("SUPERUSER",)},
            "database.reader_user is dba, a role that is there already and is SUPERUSER",
        ),
    ],
)
def test_a_role_that_somebody_works_with_does_not_become_ours(
    database: dict[str, str], powers: dict[str, tuple[str, ...]], said: str | None
) -> None:
    site = settings(database=database)
    names = (site.database.reader_user, site.database.backup_user)
    assert roles_refusal({name: powers.get(name, ()) for name in names}, site) == said
