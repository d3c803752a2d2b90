"""What an existing site needs before it can be protected, seen from its facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from checks.backup_age import missing_database
from recovery.facts import ArchivedCluster, Change, Observation, ServerFacts
from recovery.settings import Settings

_OLDEST_SERVER = 15  # the roles are made of rights, and backups of functions, that older ones do not have
_OLDEST_ENGINE = (2, 37)  # older ones fall back silently when no set reaches the target
_ADVISED_ENGINE = (2, 46)  # block incremental


def server_observations(server: ServerFacts, engine: tuple[int, int], free_bytes: int) -> list[Observation]:
    """Versions, checksums and disk of a site, each with advice where something is amiss."""
    checksums = "" if server.data_checksums else "damaged pages go unseen into backups: pg_checksums --enable (stopped)"
    engine_advice = "" if engine >= _ADVISED_ENGINE else "2.46 and newer store increments by block"
    room = "" if free_bytes > 2 * server.database_bytes else "a restored copy and its WAL may not fit beside the site"
    return [
        Observation("PostgreSQL", server.settings.get("server_version", ""), ""),
        Observation("data checksums", "on" if server.data_checksums else "off", checksums),
        Observation("pgBackRest", f"{engine[0]}.{engine[1]}", engine_advice),
        Observation("database", f"{server.database_bytes / 1e6:.0f} MB", ""),
        Observation("free for restored copies", f"{free_bytes / 1e9:.1f} GB", room),
    ]


def preparation_refusal(server: ServerFacts, engine: tuple[int, int], settings: Settings) -> str | None:
    """Why this site cannot be prepared, or None."""
    if server.in_recovery:
        return "the server named as primary is a standby"
    if refusal := version_refusal(server.version // 10000):
        return refusal
    if engine < _OLDEST_ENGINE:
        return f"pgBackRest {engine[0]}.{engine[1]} is older than 2.37, which restores to the wrong moment unasked"
    if settings.database.data_dir != Path(server.data_dir):
        return f"database.data_dir is {settings.database.data_dir}, but the server's is {server.data_dir}"
    return missing_database(server, settings.database.name) or scratch_refusal(settings)


def user_refusal(user: int, settings: Settings) -> str | None:
    """Why this user must not prepare the site, or None: PostgreSQL never is root, and could not use what root's programs write."""
    if user == 0 and not settings.database.command_prefix:
        return "this is run as root, and with database.command_prefix empty pgBackRest would be, too"
    return None


def roles_refusal(powers: Mapping[str, Sequence[str]], settings: Settings) -> str | None:
    """Why these roles must not become ours, or None: preparing them takes rights that somebody works with.

    `powers`: what each role of that name may already, past all rights.
    """
    database = settings.database
    for setting in ("reader_user", "backup_user"):
        name = getattr(database, setting)
        for theirs in ("admin_user", "user"):
            if name == getattr(database, theirs):
                return f"database.{setting} is {name}, and so is database.{theirs}"
        too_much = [one for one in powers[name] if (setting, one) != ("reader_user", "BYPASSRLS")]
        if too_much:
            return f"database.{setting} is {name}, a role that is there already and is {' and '.join(too_much)}"
    return None


def version_refusal(major: int) -> str | None:
    """Why servers of this major version cannot be protected, or None."""
    return f"PostgreSQL {major} is older than {_OLDEST_SERVER}" if major < _OLDEST_SERVER else None


def other_clusters(clusters: Sequence[ArchivedCluster], server: ServerFacts) -> list[ArchivedCluster]:
    """The repositories that take the backups of another cluster than this one."""
    ours = (server.system_identifier, str(server.version // 10000))
    return [one for one in clusters if (one.system_identifier, one.major_version) != ours]


def stanza_changes(clusters: Sequence[ArchivedCluster], server: ServerFacts) -> list[Change]:
    """What it means to have the repositories take this cluster's backups from now on."""
    return [
        Change(
            f"stanza-upgrade in repository {one.repo}: from PostgreSQL {one.major_version} with system identifier"
            f" {one.system_identifier} to PostgreSQL {server.version // 10000} with {server.system_identifier}",
            "the archive begins anew and a full backup is due; the sets so far stay until the"
            " retention drops them, and come back with --backup-id alone; there is no way back",
        )
        for one in other_clusters(clusters, server)
    ]


def stanza_refusal(clusters: Sequence[ArchivedCluster], server: ServerFacts, *, upgrade: bool) -> str | None:
    """Why nothing of this server must go into these repositories yet, or None."""
    others = other_clusters(clusters, server)
    if not others or upgrade:
        return None
    numbers = " and ".join(str(one.repo) for one in others)
    return (
        f"stanza-upgrade: repository {numbers} holds the backups of another cluster (system identifier"
        f" {others[0].system_identifier}, PostgreSQL {others[0].major_version}); this one has"
        f" {server.system_identifier}, PostgreSQL {server.version // 10000}"
    )


def changes_refusal(apply: bool, options: Mapping[str, bool]) -> str | None:
    """Why nothing would come of what was asked for, or None: without `apply` a site is only looked at."""
    asked = next((name for name, wanted in options.items() if wanted), None)
    if not apply and asked:
        return f"--{asked.replace('_', '-')} does nothing without --apply"
    return None


def scratch_refusal(settings: Settings) -> str | None:
    """Why restored copies must not be made where the settings say, or None."""
    live = [one.data_dir for one in (settings.database, settings.standby) if one and one.data_dir]
    for data_dir in live:
        if data_dir == settings.scratch_dir or data_dir in settings.scratch_dir.parents:
            return f"restore.scratch_dir {settings.scratch_dir} lies in the live data directory {data_dir}"
        if settings.scratch_dir in data_dir.parents:
            return f"the live data directory {data_dir} lies in restore.scratch_dir {settings.scratch_dir}"
    return None
