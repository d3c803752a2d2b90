"""recover settings …"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from recovery.cli.output import Json, print_json, table

app = typer.Typer(help="Check and show the settings.", no_args_is_help=True)


@app.command()
def check(as_json: Json = False) -> None:
    """Name every wrong or missing value at once, each with what to write."""
    from recovery.errors import SettingsInvalid
    from recovery.settings import find_settings_file, settings_problems

    problems = settings_problems() or _unresolved() + _missing_files()
    if as_json:
        print_json({"file": str(find_settings_file() or ""), "problems": problems})
    if problems:
        raise SettingsInvalid(
            "\n".join(f"- {one}" for one in problems), "correct them, then run: recover settings check"
        )
    if not as_json:
        print(f"The settings are complete ({find_settings_file() or 'from the environment alone'}).")


@app.command()
def show(as_json: Json = False) -> None:
    """Print every setting with its value and meaning; secrets are masked."""
    from recovery.settings import load_settings

    rows = list(_rows(load_settings(), ""))
    if as_json:
        print_json({name: value for name, value, _ in rows})
    else:
        table(("setting", "value", "meaning"), rows)


def _rows(section: Any, prefix: str) -> Any:
    from pydantic import BaseModel, SecretStr

    from recovery.redaction import MASK

    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{prefix}{name}.")
        elif isinstance(value, dict):
            for key, one in value.items():
                yield from _rows(one, f"{prefix}{name}.{key}.")
        elif isinstance(value, SecretStr):
            raw = value.get_secret_value()
            reference = raw.startswith(("file://", "secretsmanager://"))
            yield (f"{prefix}{name}", raw if reference else MASK, field.description or "")
        else:
            shown = " ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
            yield (f"{prefix}{name}", shown, field.description or "")


def _unresolved() -> list[str]:
    """Secrets whose reference leads nowhere."""
    from recovery.errors import RecoveryError
    from recovery.site import site

    problems = []
    for place, secret in _secrets(site().settings, ""):
        try:
            site().secrets.reveal(secret)
        except RecoveryError as error:
            problems.append(f"{place}: {error.problem}; {error.next_step}")
    return problems


def _secrets(section: Any, prefix: str) -> Any:
    from pydantic import BaseModel, SecretStr

    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _secrets(value, f"{prefix}{name}.")
        elif isinstance(value, SecretStr):
            yield f"{prefix}{name}", value


def _missing_files() -> list[str]:
    """Programs and files that the settings name and that are not there."""
    from recovery.adapters import files
    from recovery.site import site

    settings, problems = site().settings, []
    if not files.exists(site().host, settings.database.bin_dir / "pg_ctl"):
        problems.append(
            f"database.bin_dir: there is no pg_ctl in {settings.database.bin_dir}; write PostgreSQL's bin directory"
        )
    if settings.database.data_dir is None:
        problems.append("database.data_dir: missing; write the primary's data directory in [database]")
    for number, repo in enumerate(settings.backup.repos, 1):
        if repo.ca_file and not Path(repo.ca_file).is_file():
            problems.append(f"backup repository {number}: there is no file {repo.ca_file}; correct ca_file")
    return problems
