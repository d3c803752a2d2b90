"""recover settings …"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer

from recovery.cli.output import Json, print_json, table

app = typer.Typer(help="Check and show the settings.", no_args_is_help=True, add_completion=False)


@app.command()
def check(as_json: Json = False) -> None:
    """Name every wrong or missing value at once, each with what to write; warn about weak secrets."""
    from recovery.errors import SettingsInvalid
    from recovery.settings import find_settings_file, settings_problems

    problems = settings_problems() or _unresolved() + _missing_files()
    warnings = [] if problems else _weak() + _wrong_user()
    if as_json:
        print_json({"file": str(find_settings_file() or ""), "problems": problems, "warnings": warnings})
    if problems:
        raise SettingsInvalid(
            "\n".join(f"- {one}" for one in problems), "correct them, then run: recover settings check"
        )
    if not as_json:
        print(f"The settings are complete ({find_settings_file() or 'from the environment alone'}).")
    for warning in warnings:
        print(f"! {warning}", file=sys.stderr)


@app.command()
def show(as_json: Json = False) -> None:
    """Print every setting with its value and meaning; secrets are masked."""
    from recovery.settings import load_settings
    from recovery.settings.walk import walk

    rows = [(name, _shown(value), meaning) for name, value, meaning in walk(load_settings())]
    if as_json:
        print_json({name: value for name, value, _ in rows})
    else:
        table(("setting", "value", "meaning"), rows)


def _shown(value: Any) -> str:
    from pydantic import SecretStr

    from recovery.redaction import MASK

    if isinstance(value, SecretStr):
        raw = value.get_secret_value()
        return raw if raw.startswith(("file://", "secretsmanager://")) else MASK
    return " ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


def _unresolved() -> list[str]:
    """Secrets whose reference leads nowhere."""
    from recovery.errors import RecoveryError
    from recovery.settings.walk import secrets_in
    from recovery.site import site

    problems = []
    for name, secret in secrets_in(site().settings):
        try:
            site().secrets.reveal(secret)
        except RecoveryError as error:
            problems.append(f"{name}: {error.problem}; {error.next_step}")
    return problems


def _weak() -> list[str]:
    """Warnings about secrets that are short or easily guessed. An access key id is a name, not a secret."""
    from checks.secrets import weak_secret_warning
    from recovery.settings.walk import names_in, secrets_in
    from recovery.site import site

    names, found = set(names_in(site().settings)), []
    for name, reference in secrets_in(site().settings):
        secret = site().secrets.reveal(reference) or ""
        if name == "server.api_password":
            secret = secret.partition(":")[2]
        if not name.endswith("access_key_id"):
            found.append(weak_secret_warning(name, secret, names))
    return [warning for warning in found if warning]


def _wrong_user() -> list[str]:
    """A warning to root, who can check the settings but not prepare the site with them."""
    from checks.readiness import user_refusal
    from recovery.site import site

    refusal = user_refusal(os.geteuid(), site().settings)
    return [f'{refusal}: write command_prefix = ["runuser", "-u", "postgres", "--"]'] if refusal else []


def _missing_files() -> list[str]:
    """Programs and files that the settings name and that are not there."""
    from recovery.site import site

    settings, problems = site().settings, _programs()
    if settings.database.data_dir is None:
        problems.append("database.data_dir: missing; write the primary's data directory in [database]")
    for number, repo in enumerate(settings.backup.repos, 1):
        if repo.ca_file and not Path(repo.ca_file).is_file():
            problems.append(f"backup repository {number}: there is no file {repo.ca_file}; correct ca_file")
    if settings.checks.rules and not settings.checks.rules.is_dir():
        problems.append(f"checks.rules: there is no folder {settings.checks.rules}; correct it, or leave it out")
    return problems


def _programs() -> list[str]:
    """What is wrong with PostgreSQL's programs: they are not there, or older than what we can protect."""
    from checks.readiness import version_refusal
    from recovery.adapters import files
    from recovery.adapters.postgres.programs import major_version
    from recovery.site import site

    bin_dir = site().settings.database.bin_dir
    if not files.exists(site().host, bin_dir / "pg_ctl"):
        return [f"database.bin_dir: there is no pg_ctl in {bin_dir}; write PostgreSQL's bin directory"]
    major = major_version(site().host, bin_dir)
    refusal = version_refusal(major) if major else None
    return [f"database.bin_dir: {refusal} ({bin_dir}); write the bin directory of a newer one"] if refusal else []
