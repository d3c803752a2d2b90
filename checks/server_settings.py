"""Which settings of a server differ from what archiving needs, and which of them are not ours to change."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from recovery.facts import Change
from recovery.server_setting import ServerSetting

# What the server is asked for besides the settings that are wanted.
ALSO_READ = ("archive_library", "allow_alter_system")
_LEVELS = ("minimal", "replica", "logical")
_OLD_LEVELS = {"archive": "replica", "hot_standby": "replica"}  # the server still takes them
_ON = ("on", "true", "yes", "1", "t", "y")
_ARCHIVES_NOTHING = ("", "true", "/bin/true", "/usr/bin/true", ":", "exit 0", "cd .")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PROGRAM = re.compile(r"[\w./+-]+")
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
            level = _OLD_LEVELS.get(value.lower(), value.lower())
            return level in _LEVELS and _LEVELS.index(level) >= _LEVELS.index(wanted)
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
        if not (one := found[name]).ours_to_set:
            shown = _program(one.value) if name == "archive_command" else one.value
            return f"{name} = {shown} comes from the {one.source} of the server, which wins over all files and ALTER SYSTEM"
    theirs = others_archive_command(found, is_ours)
    if theirs and not replace_archive_command:
        return f"WAL is archived by somebody else: {theirs}. With our command that archive gets no WAL any more"
    return None


def others_archive_command(found: Mapping[str, ServerSetting], is_ours: Callable[[str], bool]) -> str | None:
    """What archives the WAL today, or will after the restart that is due, and is none of ours, or None."""
    if (library := found.get("archive_library")) and library.value:
        return f"archive_library = {library.value}"
    command, mode = found["archive_command"], found["archive_mode"]
    texts = [command.value] if command.in_use else []
    if serves("archive_mode", mode.value, "on") or serves("archive_mode", mode.configured, "on"):
        texts.append(command.configured)
    for text in texts:
        if text.strip() not in _ARCHIVES_NOTHING and not is_ours(text):
            return f"archive_command = {_program(text)}"
    return None


def _program(command: str) -> str:
    """The program that a command begins with. The rest may hold secrets, in more ways than can be masked."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    first = next((word for word in words if not _ASSIGNMENT.match(word)), "")
    return f"{first} …" if _PROGRAM.fullmatch(first) else "(a command of the shell)"


def _configured(setting: ServerSetting) -> str:
    """What it is, or will be after the restart that is due anyway."""
    return setting.configured if setting.needs_restart or not setting.in_use else setting.value
