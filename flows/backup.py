"""Take a backup into every repository, and prove it."""

from dataclasses import dataclass
from typing import Literal

from checks.backup_age import backup_refusal, missing_database
from checks.retention import full_sets_kept
from checks.run_names import backup_name
from recovery.errors import RecoveryError, VerificationFailed
from recovery.facts import BackupKind, BackupSet, ServerFacts
from recovery.gate import require
from recovery.site import site
from tasks.artifacts import publish_table
from tasks.backups import (
    describe_site,
    expire_sets,
    read_repository,
    read_server,
    require_answering_repository,
    take_backup,
    verify_backup_taken,
)
from tasks.records import forget_records, keep_record, record_site_facts
from tasks.step import note, runbook, warn

RepoChoice = Literal["all", "1", "2"]


@dataclass(frozen=True)
class BackupReport:
    """The sets that were taken and proven."""

    sets: tuple[BackupSet, ...]


@runbook("Backup", backup_name)
def backup(kind: BackupKind = "incr", repo: RepoChoice = "all") -> BackupReport:
    """Take a backup into every repository and prove it.

    Each set is listed in its repository, its pages are sound and its WAL has arrived, or the run
    fails. A repository that is down does not keep the other one from getting its set.

    Args:
        kind: full copies everything; diff what changed since the last full; incr since the last backup.
        repo: all repositories, or only 1 (the site's region) or 2 (the second region).
    """
    server = read_server()
    require(backup_refusal(server), next_step="run: recover site prepare --apply")
    if missing := missing_database(server, site().settings.database.name):
        warn(f"{missing}; what the server holds is backed up all the same")
    annotations = describe_site(server)
    taken: list[BackupSet] = []
    failures: list[str] = []
    for number in numbers(repo):
        try:
            taken.append(take_and_prove(kind, number, annotations, server))
        except RecoveryError as error:
            failures.append(f"repository {number}: {error.problem}")
            warn(failures[-1])
    record_on(taken)
    publish_table("backup-sets", [row(one) for one in taken], "Backup sets taken and proven")
    if failures:
        raise VerificationFailed(
            f"{len(failures)} of {len(numbers(repo))} repositories got no backup; {'; '.join(failures)}",
            "mend the cause, then run the same backup again with --repo",
        )
    for number in numbers(repo):
        expire(number)
    return BackupReport(tuple(taken))


def take_and_prove(kind: BackupKind, repo: int, annotations: dict[str, str], server: ServerFacts) -> BackupSet:
    """One repository: take the backup, then prove it."""
    require_answering_repository(repo)
    label = take_backup(kind, repo, annotations)
    return verify_backup_taken(label, repo, server.segment_bytes)


def record_on(taken: list[BackupSet]) -> None:
    """Record the source once, and keep the record with every set that was taken. The backup is good without."""
    if not taken:
        return
    try:
        facts = record_site_facts()
    except RecoveryError as error:
        warn(f"what the site holds was not recorded with the backup: {error.problem}")
        return
    for one in taken:
        try:
            keep_record(one, facts)
        except RecoveryError as error:
            warn(f"what the site holds was not recorded with backup {one.label}: {error.problem}")


def expire(repo: int) -> None:
    """Let go of what the retention no longer keeps."""
    sets = read_repository(repo).every_set
    kept = full_sets_kept(sets, site().settings.backup.repos[repo - 1].retention_full)
    if kept < sum(one.kind == "full" for one in sets):
        note(f"repository {repo}: {kept} full sets stay")
        expire_sets(repo, kept)
        forget(repo)


def forget(repo: int) -> None:
    """Let the records of sets that are gone go, too."""
    try:
        forget_records(repo)
    except RecoveryError as error:
        warn(f"records of dropped backups stay in repository {repo}; the next expiry removes them: {error.problem}")


def numbers(repo: RepoChoice) -> list[int]:
    """The numbers of the chosen repositories."""
    every = list(range(1, len(site().settings.backup.repos) + 1))
    chosen = every if repo == "all" else [number for number in every if str(number) == repo]
    require(
        None if chosen else f"this site has no repository {repo}",
        next_step="leave out --repo, or add [backup.secondary] to recovery.toml",
    )
    return chosen


def row(one: BackupSet) -> dict[str, str]:
    """A set as a row of a table."""
    return {
        "backup": one.label,
        "repository": str(one.repo),
        "ended": f"{one.stopped_at:%Y-%m-%d %H:%M:%S} UTC",
        "database": f"{one.database_bytes / 1e6:.0f} MB",
        "stored": f"{one.repo_bytes / 1e6:.1f} MB",
    }
