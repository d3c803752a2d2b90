"""Read recovery.toml and the environment; name everything that is wrong at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recovery.errors import SettingsInvalid
from recovery.settings.model import ENVIRONMENT, Settings

_PLACES = (
    Path("recovery.toml"),
    Path("~/.config/clickview/recovery.toml"),
    Path("/etc/clickview/recovery.toml"),
)


def find_settings_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that RECOVERY_CONFIG names, else the first that exists of the usual places."""
    named = environment.get("RECOVERY_CONFIG")
    if named:
        return Path(named)
    return next((place.expanduser() for place in _PLACES if place.expanduser().is_file()), None)


def load_settings(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this site. The environment wins over the file.

    Raises: SettingsInvalid, naming every wrong or missing value at once.
    """
    settings, problems = _read(file or find_settings_file(environment), environment)
    if settings is None:
        raise SettingsInvalid("\n".join(problems), "correct them, then run: recover settings check")
    return settings


def settings_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a program of ours is told, so that it works with the settings that this one has."""
    told = {name: environment[name] for name in (*ENVIRONMENT, "RECOVERY_NO_SERVER") if name in environment}
    file = find_settings_file(environment)
    return told | ({"RECOVERY_CONFIG": str(file.absolute())} if file else {})


def settings_problems(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Every wrong or missing value, each with what to write; none when all is well."""
    return _read(file or find_settings_file(environment), environment)[1]


def _read(file: Path | None, environment: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    try:
        values = _file_values(file)
    except SettingsInvalid as error:
        return None, [error.problem]
    for variable, place in ENVIRONMENT.items():
        if value := environment.get(variable):
            _put(values, place, value)
    try:
        return Settings.model_validate(values), []
    except ValidationError as error:
        return None, [_sentence(detail) for detail in error.errors(include_url=False, include_input=False)]


def _file_values(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        raise SettingsInvalid(f"there is no settings file {file}", "name another with --config") from error
    except OSError as error:
        raise SettingsInvalid(f"{file} cannot be read: {error.strerror}", "check its owner and mode") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file} is not TOML: {error}", "correct that line") from error


def _put(values: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    for section in place[:-1]:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            return  # the file has a wrong type here; validation will say so
        values = inner
    values[place[-1]] = value


def _sentence(detail: Any) -> str:
    place = tuple(str(part) for part in detail["loc"])
    name = ".".join(place)
    variable = next((key for key, known in ENVIRONMENT.items() if known == place), None)
    also = f", or set {variable}" if variable else ""
    section = f"[{'.'.join(place[:-1])}]" if place[1:] else "the file"
    match detail["type"]:
        case "extra_forbidden":
            return f"{name}: unknown key; remove it from {section} (recover settings show lists the known ones)"
        case "missing" if place in _SECTIONS:
            return f"{name}: missing; add a section [{name}]{_needs(place)}"
        case "missing":
            return f"{name}: missing; write {place[-1]} = … in {section}{also}"
        case _:
            return f"{name}: {detail['msg'][0].lower()}{detail['msg'][1:]}; correct {place[-1]} in {section}{also}"


_SECTIONS = {("backup",): "encryption_key and a section [backup.primary] with bucket", ("backup", "primary"): "bucket"}


def _needs(place: tuple[str, ...]) -> str:
    variables = [key for key, known in ENVIRONMENT.items() if known[: len(place)] == place]
    return f" with {_SECTIONS[place]} (or set {' '.join(variables)})"
