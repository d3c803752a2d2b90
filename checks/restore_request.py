"""What a restore was asked for: read without guessing, refused when it could harm."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from checks.moment import read_moment
from recovery.facts import RecoveryTarget, Refusal, TargetKind
from recovery.settings import Settings
from recovery.wal import parse_lsn

_LONGEST_NAME_BYTES = 63  # of a database or a restore point; a byte more and PostgreSQL refuses to make it
HALF_LOADED = "recovering_"  # so begin the names of databases that are swept away
_LABEL = re.compile(r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?")
_SYSTEM_DATABASES = ("postgres", "template0", "template1")


@dataclass(frozen=True)
class Wish:
    """The options of a restore, as a person or a form gave them."""

    target_time: str | None = None
    target_lsn: str | None = None
    target_name: str | None = None
    backup_id: str | None = None
    target_database: str | None = None
    source_region: str | None = None
    source_bucket: str | None = None
    target_timeline: int | None = None
    accept_failed_checks: str | None = None
    drop_failed: bool = False


def failed_checks_refusal(wish: Wish, *, kept: bool) -> str | None:
    """Why what was asked for copies that fail their checks makes no sense, or None. `kept`: the copy shall stay."""
    if wish.accept_failed_checks and wish.drop_failed:
        return "a copy that fails its checks cannot be accepted and dropped"
    if not kept and (wish.accept_failed_checks or wish.drop_failed):
        return "--validate-only keeps no copy, whatever its checks find"
    return None


def proof_refusal(wish: Wish, *, kept: bool) -> str | None:
    """Why a restore that keeps nothing cannot do what else was asked for, or None."""
    if wish.target_database and not kept:
        return f"--validate-only keeps nothing, so there would be no database {wish.target_database}"
    return None


def read_target(wish: Wish) -> RecoveryTarget | Refusal:
    """The recovery target that the options name."""
    named = [text for text in (wish.target_time, wish.target_lsn, wish.target_name) if text]
    if len(named) > 1:
        return Refusal("more than one target was given", "give one of --target-time, --target-lsn, --target-name")
    if wish.backup_id and not _LABEL.fullmatch(wish.backup_id):
        return Refusal(f"{wish.backup_id!r} is not the id of a backup", "recover backup list shows the ids")
    if wish.target_time:
        moment = read_moment(wish.target_time)
        return moment if isinstance(moment, Refusal) else RecoveryTarget(TargetKind.TIME, moment=moment)
    if wish.target_lsn:
        try:
            return RecoveryTarget(TargetKind.LSN, lsn=parse_lsn(wish.target_lsn))
        except ValueError as error:
            return Refusal(str(error), "write it as PostgreSQL does, e.g. 0/5000060")
    if wish.target_name:
        if not _can_be_name(wish.target_name):
            return Refusal(
                f"{wish.target_name!r} cannot be the name of a restore point",
                f"use the name given to pg_create_restore_point: at most {_LONGEST_NAME_BYTES} bytes, without line breaks",
            )
        return RecoveryTarget(TargetKind.NAME, name=wish.target_name)
    return RecoveryTarget(TargetKind.BACKUP if wish.backup_id else TargetKind.LATEST)


def _can_be_name(name: str) -> bool:
    """Whether PostgreSQL takes this name, and programs show it on one line."""
    odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    return not odd and len(name.encode()) <= _LONGEST_NAME_BYTES


def database_name_refusal(name: str, settings: Settings, existing: tuple[str, ...]) -> str | None:
    """Why a restored database must not get this name, or None."""
    if not name.strip() or not _can_be_name(name):
        return f"{name!r} cannot be the name of a database (1 to 63 bytes, without line breaks)"
    if name.startswith(HALF_LOADED):
        return f"{name} would be taken for a database that is not loaded to its end, and dropped"
    if name == settings.database.name and name in existing:
        return f"{name} is the live database"
    if name in _SYSTEM_DATABASES:
        return f"{name} belongs to PostgreSQL itself"
    if name in existing:
        return f"a database {name} exists on the site's server; nothing is overwritten"
    return None


def source_repositories(wish: Wish, settings: Settings) -> list[int] | Refusal:
    """The numbers of the repositories to read, from the wanted region and bucket; all when none is named."""
    repos = list(enumerate(settings.backup.repos, 1))
    if not wish.source_region and not wish.source_bucket:
        return [number for number, _ in repos]
    bucket = wish.source_bucket or _default_bucket(wish, settings)
    found = [
        number
        for number, repo in repos
        if (not wish.source_region or repo.region == wish.source_region) and (not bucket or repo.bucket == bucket)
    ]
    if found:
        return found
    known = ", ".join(f"{repo.bucket} in {repo.region}" for _, repo in repos)
    asked = f"{bucket or 'any bucket'} in {wish.source_region or 'any region'}"
    return Refusal(
        f"{asked} is not a repository of this site", f"known are {known}; add it to recovery.toml as [backup.secondary]"
    )


def _default_bucket(wish: Wish, settings: Settings) -> str | None:
    """PRIMARY_BACKUP_BUCKET, when the wanted region has a repository in it."""
    bucket = settings.backup.primary_bucket
    here = any(repo.region == wish.source_region and repo.bucket == bucket for repo in settings.backup.repos)
    return bucket if here else None
