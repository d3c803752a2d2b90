"""What the operator tells us about a site: recovery.toml and the runbook's environment variables."""

from recovery.settings.backup import BackupSettings, ChecksSettings, RepoSettings, RestoreSettings
from recovery.settings.cloud import AwsSettings
from recovery.settings.database import DatabaseSettings, StandbySettings
from recovery.settings.load import find_settings_file, load_settings, settings_problems
from recovery.settings.model import Settings
from recovery.settings.promises import Contact, ObjectivesSettings, SeverityLevel
from recovery.settings.services import RedisSettings, ServerSettings

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
