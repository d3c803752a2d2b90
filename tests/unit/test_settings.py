"""Settings: the runbook's variables, one file, every mistake named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery.errors import SettingsInvalid
from recovery.settings import find_settings_file, load_settings, settings_problems
from recovery.settings.model import ENVIRONMENT

LEAST = {"BACKUP_S3_BUCKET": "clickview-backups", "BACKUP_ENCRYPTION_KEY": "key-of-the-repository"}
RUNBOOK = {
    **LEAST,
    "DB_HOST": "db.clickview.app",
    "DB_PORT": "6432",
    "DB_NAME": "clickview_prod",
    "DB_USER": "app",
    "DB_PASSWORD": "password-of-app",
    "REDIS_HOST": "cache.clickview.app",
    "REDIS_PORT": "6380",
    "BACKUP_S3_REGION": "eu-central-1",
    "ZONE_ID": "Z123",
    "PRIMARY_BACKUP_BUCKET": "clickview-backups-dr",
}


def file(folder: Path, text: str) -> Path:
    path = folder / "recovery.toml"
    path.write_text(text)
    return path


def test_runbook_s_variables_are_enough() -> None:
    settings = load_settings(None, RUNBOOK)
    assert (settings.database.host, settings.database.port) == ("db.clickview.app", 6432)
    assert (settings.database.name, settings.database.user) == ("clickview_prod", "app")
    assert settings.database.password and settings.database.password.get_secret_value() == "password-of-app"
    assert (settings.redis.host, settings.redis.port) == ("cache.clickview.app", 6380)
    assert (settings.backup.primary.bucket, settings.backup.primary.region) == ("clickview-backups", "eu-central-1")
    assert settings.backup.encryption_key.get_secret_value() == "key-of-the-repository"
    assert (settings.aws.zone_id, settings.backup.primary_bucket) == ("Z123", "clickview-backups-dr")


def test_every_variable_of_the_runbook_is_known() -> None:
    assert RUNBOOK.keys() <= ENVIRONMENT.keys()


def test_environment_wins_over_the_file_and_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    path = file(tmp_path, '[database]\nhost = "in-file"\nname = "in_file"\n')
    settings = load_settings(path, {**LEAST, "DB_HOST": "in-environment", "DB_NAME": ""})
    assert (settings.database.host, settings.database.name) == ("in-environment", "in_file")


def test_promises_of_the_runbook_are_the_defaults() -> None:
    promises = load_settings(None, LEAST).objectives
    assert (promises.recovery_minutes, promises.data_loss_minutes) == (240, 60)
    assert (promises.detection_minutes, promises.acknowledgement_minutes) == (5, 10)


def test_nothing_at_all_says_what_to_write() -> None:
    assert settings_problems(None, {}) == [
        "backup: missing; add a section [backup] with encryption_key and a section [backup.primary] with bucket "
        "(or set BACKUP_S3_BUCKET BACKUP_S3_REGION BACKUP_ENCRYPTION_KEY PRIMARY_BACKUP_BUCKET)"
    ]


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        """
        surprise = 1
        [site]
        name = "Click View"
        [database]
        port = 99999
        hots = "db"
        [backup]
        process_max = 0
        [backup.primary]
        [objectives]
        recovery_minutes = "soon"
        """,
    )
    assert settings_problems(path, {"REDIS_PORT": "many"}) == [
        "site.name: string should match pattern '^[a-z][a-z0-9-]{0,39}$'; correct name in [site]",
        "database.port: input should be less than or equal to 65535; correct port in [database], or set DB_PORT",
        "database.hots: unknown key; remove it from [database] (recover settings show lists the known ones)",
        "redis.port: input should be a valid integer, unable to parse string as an integer; correct port in [redis], or set REDIS_PORT",
        "backup.encryption_key: missing; write encryption_key = … in [backup], or set BACKUP_ENCRYPTION_KEY",
        "backup.primary.bucket: missing; write bucket = … in [backup.primary], or set BACKUP_S3_BUCKET",
        "backup.process_max: input should be greater than or equal to 1; correct process_max in [backup]",
        "objectives.recovery_minutes: input should be a valid integer, unable to parse string as an integer; correct recovery_minutes in [objectives]",
        "surprise: unknown key; remove it from the file (recover settings show lists the known ones)",
    ]


def test_wrong_secret_is_not_printed(tmp_path: Path) -> None:
    path = file(
        tmp_path, '[backup]\nencryption_key = ["key-in-a-list"]\n[backup.primary]\nbucket = "clickview-backups"\n'
    )
    problems = "\n".join(settings_problems(path, {}))
    assert problems.startswith("backup.encryption_key: ")
    assert "key-in-a-list" not in problems


def test_section_that_is_no_section(tmp_path: Path) -> None:
    assert settings_problems(file(tmp_path, 'database = "x"'), {**LEAST, "DB_HOST": "db"}) != []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[database", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: "),
    ],
)
def test_file_that_is_not_toml(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "recovery.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match=problem):
        load_settings(path, LEAST)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert settings_problems(path, LEAST) == [f"there is no settings file {path}"]
    assert settings_problems(tmp_path, LEAST) == [f"{tmp_path} cannot be read: Is a directory"]


def test_named_file_is_taken_even_if_it_is_not_there() -> None:
    assert find_settings_file({"RECOVERY_CONFIG": "/none/recovery.toml"}) == Path("/none/recovery.toml")


def test_settings_cannot_be_changed_and_hide_their_secrets() -> None:
    settings = load_settings(None, RUNBOOK)
    assert "password-of-app" not in repr(settings)
    assert "key-of-the-repository" not in settings.model_dump_json()
    with pytest.raises(ValueError, match="frozen"):
        settings.database.host = "other"  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    from pydantic import BaseModel

    from recovery.settings import model

    sections = [one for one in vars(model).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    bare = [
        f"{section.__name__}.{name}"
        for section in sections
        if section.__name__ != "Settings"
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert bare == []


def test_second_repository_is_repo2_and_keeps_the_evidence() -> None:
    from tests.unit.build import settings

    two = settings(
        backup={
            "encryption_key": "key-of-the-repository",
            "primary": {"bucket": "east-bucket"},
            "secondary": {"bucket": "west-bucket"},
        }
    )
    assert [one.bucket for one in two.backup.repos] == ["east-bucket", "west-bucket"]
    assert two.evidence_bucket == "west-bucket"
    assert settings().evidence_bucket == "clickview-backups"
    assert settings(site={"state_dir": "/state"}).scratch_dir == Path("/state/scratch")


@pytest.mark.parametrize(
    "text", ['reader_user = "one"\nbackup_user = "one"', 'reader_user = "clickview_recovery_backup"']
)
def test_reader_and_backup_are_two_roles(text: str, tmp_path: Path) -> None:
    assert settings_problems(file(tmp_path, f"[database]\n{text}\n"), LEAST) == [
        "database.backup_user: the same role as reader_user, which reads all rows; correct backup_user in [database]"
    ]
