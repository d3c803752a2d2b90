"""What the operator tells us about a site: recovery.toml and the runbook's environment variables."""

from recovery.settings.load import find_settings_file, load_settings, settings_problems
from recovery.settings.model import (
    AwsSettings,
    BackupSettings,
    ChecksSettings,
    Contact,
    DatabaseSettings,
    ObjectivesSettings,
    RedisSettings,
    RepoSettings,
    RestoreSettings,
    ServerSettings,
    Settings,
    SeverityLevel,
    StandbySettings,
)

__all__ = [
    "AwsSettings",
    "BackupSettings",
    "ChecksSettings",
    "Contact",
    "DatabaseSettings",
    "ObjectivesSettings",
    "RedisSettings",
    "RepoSettings",
    "RestoreSettings",
    "ServerSettings",
    "Settings",
    "SeverityLevel",
    "StandbySettings",
    "find_settings_file",
    "load_settings",
    "settings_problems",
]
