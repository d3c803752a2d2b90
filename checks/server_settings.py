"""Which settings of a server differ from what archiving needs, and which of them are not ours to change."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from recovery.facts import Change
from recovery.redaction import MASK
from recovery.server_setting import ServerSetting

# What the server is asked for besides the settings that are wanted.
ALSO_READ = ("archive_library", "allow_alter_system")
_LEVELS = ("minimal", "replica", "logical")
_ON = ("on", "true", "yes", "1", "t", "y")
_ARCHIVES_NOTHING = ("", "true", "/bin/true", "/usr/bin/true", ":", "exit 0", "cd .")
_SECRETS = re.compile(r"(\w*(?:KEY|SECRET|PASS|TOKEN)\w*)=\S+", re.IGNORECASE)
_REASONS = {
    "archive_mode": "WAL leaves the server, so that every moment can be recovered",
    "archive_command": "WAL goes to every repository",
    "archive_library": "a library would archive in the place of the command",
    "archive_timeout": "an idle site archives its WAL in time for the RPO",
    "track_commit_timestamp": "the exact moment of a commit is known, and lost rows can be named",
    "wal_level": "the WAL holds enough for recovery and for a standby",
}


def serves(name: str, value: str, wanted: str) -> bool:
    """Whether a setting is as good as the wanted one: more WAL, and WAL archived sooner, is."""
    match name:
        case "wal_level":
            return value in _LEVELS and _LEVELS.index(value) >= _LEVELS.index(wanted)
        case "archive_mode":
            return value.lower() in (*_ON, "always")
        case "track_commit_timestamp":
            return value.lower() in _ON
        case "archive_timeout":
            return value.isdigit() and 0 < int(value) <= int(wanted)
    return value == wanted


def differing_settings(found: Mapping[str, ServerSetting], wanted: Mapping[str, str]) -> dict[str, str]:
    """What has to be set, and to what; what is set and waits for a restart is not."""
    differing = {name: value for name, value in wanted.items() if not serves(name, _configured(found[name]), value)}
    if (library := found.get("archive_library")) and library.value:
        differing["archive_library"] = ""
    return differing


def setting_changes(
    found: Mapping[str, ServerSetting], wanted: Mapping[str, str], is_ours: Callable[[str], bool]
) -> list[Change]:
    """What would be set and why, and what only waits for a restart."""
    differing = differing_settings(found, wanted)
    changes = []
    for name, value in differing.items():
        instead = ""
        if name == "archive_command" and (theirs := others_archive_command(found, is_ours)):
            instead = f" (instead of {theirs}, whose archive gets no WAL from then on)"
        changes.append(
            Change(f"set {name} = {value}{instead}", _REASONS[name], needs_restart=found[name].needs_restart)
        )
    for name, value in wanted.items():
        one = found[name]
        if name not in differing and one.needs_restart and not serves(name, one.value, value):
            changes.append(
                Change(f"restart: {name} = {one.configured} waits for it", _REASONS[name], needs_restart=True)
            )
    return changes


def settings_refusal(
    found: Mapping[str, ServerSetting],
    wanted: Mapping[str, str],
    is_ours: Callable[[str], bool],
    *,
    replace_archive_command: bool,
) -> str | None:
    """Why these settings must not be, or cannot be, changed here, or None."""
    differing = differing_settings(found, wanted)
    if differing and (allowed := found.get("allow_alter_system")) and allowed.value == "off":
        lines = "; ".join(f"{name} = '{value}'" for name, value in differing.items())
        return f"allow_alter_system is off, so these have to be written where this server is configured: {lines}"
    for name in differing:
        if not found[name].ours_to_set:
            return (
                f"{name} = {found[name].value} comes from the {found[name].source} of the server,"
                " which wins over all files and ALTER SYSTEM"
            )
    theirs = others_archive_command(found, is_ours)
    if theirs and not replace_archive_command:
        return f"WAL is archived by somebody else: {theirs}. With our command that archive gets no WAL any more"
    return None


def others_archive_command(found: Mapping[str, ServerSetting], is_ours: Callable[[str], bool]) -> str | None:
    """What archives the WAL today and is none of ours, or None; secrets in it are masked."""
    if (library := found.get("archive_library")) and library.value:
        return f"archive_library = {library.value}"
    command = found["archive_command"]
    if not command.in_use or command.value.strip() in _ARCHIVES_NOTHING or is_ours(command.value):
        return None
    shown = _SECRETS.sub(rf"\g<1>={MASK}", command.value)
    return f"archive_command = {shown}"


def _configured(setting: ServerSetting) -> str:
    """What it is, or will be after the restart that is due anyway."""
    return setting.configured if setting.needs_restart or not setting.in_use else setting.value
