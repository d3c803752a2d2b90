"""A weak secret is named by its setting, never by its text."""

from __future__ import annotations

import pytest

from checks.secrets import weak_secret_warning
from recovery.settings import Settings
from recovery.settings.walk import names_in, secrets_in

MAKE_ONE = "make one with: openssl rand -hex 24"


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("abc", "shorter than 4 characters, so it is not even masked in logs"),
        ("", "shorter than 4 characters, so it is not even masked in logs"),
        ("sandbox", "a common word, which is tried first and masked only where it stands alone"),
        ("Password123!", "a common word, which is tried first and masked only where it stands alone"),
        ("hunter2", "a common word, which is tried first and masked only where it stands alone"),
        ("clickview_restored", "the same as a name in these settings, which everybody reads"),
        ("horsebatteries", "letters only and shorter than 20, so it is masked only where it stands alone"),
        ("k9-Tz.4q+Wm", "shorter than 12 characters, so it is masked only where it stands alone"),
    ],
)
def test_what_is_weak(secret: str, said: str) -> None:
    names = {"clickview_restored", "/var/lib/x"}
    assert weak_secret_warning("database.password", secret, names) == f"database.password: {said}; {MAKE_ONE}"


@pytest.mark.parametrize(
    "secret", ["k9-Tz.4q+Wm_", "0f" * 24, "correct horse battery staple", "correcthorsebatterystaple"]
)
def test_what_is_not(secret: str) -> None:
    assert weak_secret_warning("database.password", secret, {"clickview"}) is None


def test_what_the_settings_say_in_clear_and_what_they_keep() -> None:
    settings = Settings.model_validate(
        {
            "site": {"state_dir": "/var/lib/clickview-sandbox/state"},
            "backup": {"encryption_key": "of-the-repository", "primary": {"bucket": "some-backups"}},
            "application": {"health_url": "https://api.sandbox.example/health"},
            "services": {"database": "process:/srv/pg-sandbox/data"},
            "database": {"command_prefix": ["ssh", "db-sandbox"], "password": "of-the-database"},
        }
    )
    names = set(names_in(settings))
    assert {
        "/var/lib/clickview-sandbox/state",
        "/var/lib/clickview-sandbox",
        "some-backups",
        "api.sandbox.example",
        "/srv/pg-sandbox/data",
        "db-sandbox",
    } <= names
    assert "/" not in names
    assert not {"of-the-repository", "of-the-database"} & names
    assert [name for name, _ in secrets_in(settings)] == ["database.password", "backup.encryption_key"]
