"""Whether backups and the WAL archive are young enough for the RPO."""

from __future__ import annotations

from datetime import datetime, timedelta

from recovery.facts import BackupSet, RepoFacts, ServerFacts
from recovery.wal import Segment

# Twice the schedule: hourly increments, weekly fulls.
_OLDEST_SET = timedelta(hours=2)
_OLDEST_FULL = timedelta(days=14)


def age_failures(repo: RepoFacts, now: datetime, rpo: timedelta) -> list[str]:
    """What in this repository is too old, each with its age."""
    newest = newest_complete_set(repo)
    if newest is None:
        return ["holds no complete and sound backup set"]
    failures = []
    fulls = [one.stopped_at for one in repo.sets if one.kind == "full" and not one.damaged]
    if now - newest.stopped_at > _OLDEST_SET:
        failures.append(f"newest set {newest.label} is {_age(now - newest.stopped_at)} old (hourly ones are due)")
    if fulls and now - max(fulls) > _OLDEST_FULL:
        failures.append(f"newest full set is {_age(now - max(fulls))} old (weekly ones are due)")
    newest_wal = repo.newest_archived_at
    if newest_wal is None or now - newest_wal > rpo:
        failures.append(
            f"newest WAL is {_age(now - newest_wal) if newest_wal else 'missing'} old; the RPO is {_age(rpo)}"
        )
    return failures


def newest_complete_set(repo: RepoFacts) -> BackupSet | None:
    """The newest sound set whose WAL, from its start to its stop, is in the same repository."""
    held = {one.segment for one in repo.segments}
    sound = [one for one in repo.sets if not one.damaged and not _missing_wal(one, repo, held)]
    return max(sound, key=lambda one: one.stopped_at, default=None)


def archiving_failures(server: ServerFacts) -> list[str]:
    """What is wrong with the server's side of WAL archiving."""
    failures = []
    if server.settings.get("archive_mode") not in ("on", "always"):
        failures.append("archive_mode is off: no WAL leaves the server (recover site prepare --apply)")
    failed, archived = server.last_archive_failure_at, server.last_archived_at
    if failed and (archived is None or failed > archived):
        failures.append(
            f"archiving fails: {server.archive_failures} failures, the last {_age(server.now - failed)} ago"
        )
    if len(server.segments_waiting) > 8:
        failures.append(f"{len(server.segments_waiting)} WAL segments wait to be archived and fill the primary's disk")
    return failures


def backup_refusal(server: ServerFacts) -> str | None:
    """Why no backup can be taken from this server, or None."""
    if server.in_recovery:
        return "the server named as primary is a standby"
    if server.settings.get("archive_mode") not in ("on", "always"):
        return "archive_mode is off, so a backup would have no WAL to become consistent with"
    return None


def missing_database(server: ServerFacts, name: str) -> str | None:
    """What is to be said when the application's database is not on its server, or None."""
    if name in server.databases:
        return None
    return f"there is no database {name} on the server; it has {', '.join(server.databases) or 'none'}"


def proof_failures(backup: BackupSet | None, repo: RepoFacts) -> list[str]:
    """Why a backup that was just taken must not be trusted."""
    if backup is None:
        return ["it is not listed in its repository"]
    failures = []
    if backup.damaged:
        failures.append("pages with a wrong checksum were copied: the database itself is damaged")
    held = {one.segment for one in repo.segments}
    return [*failures, *(f"WAL segment {name} has not arrived" for name in _missing_wal(backup, repo, held))]


def _missing_wal(backup: BackupSet, repo: RepoFacts, held: set[Segment]) -> list[str]:
    """The segments from a set's start to its stop that are not in its repository."""
    first, stop = (Segment.parse(name, repo.segment_bytes) for name in (backup.wal_start, backup.wal_stop))
    needed = (Segment(stop.timeline, number) for number in range(first.number, stop.number + 1))
    return [one.name(repo.segment_bytes) for one in needed if one not in held]


def _age(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
