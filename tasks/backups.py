"""Backups and the WAL archive, step by step."""

from __future__ import annotations

from datetime import UTC, datetime

from checks import backup_age, retention
from recovery.errors import RecoveryError, VerificationFailed
from recovery.facts import BackupKind, BackupSet, RepoFacts, ServerFacts
from recovery.journal import current_journal
from recovery.site import site
from recovery.wal import format_lsn
from tasks.step import ProgressReporter, action, note, probe, run_together, verify, warn


@probe
def read_server() -> ServerFacts:
    """Read what the primary is and where it stands."""
    return site().primary.read_facts()


def read_server_if_it_answers() -> ServerFacts | None:
    """Read the primary, or go on without it: a restore must not need the server that is lost."""
    try:
        return site().primary.read_facts()
    except RecoveryError as error:
        note(f"the primary could not be read; going on from the repositories alone ({error.problem.splitlines()[0]})")
        return None


@probe
def read_repository(repo: int, segment_bytes: int = 16 * 1024**2, of_set: str | None = None) -> RepoFacts:
    """List the sets, the WAL and the timelines of one repository."""
    return site().backups.read_repo(repo, segment_bytes, of_set)


def read_repositories(server: ServerFacts | None, of_set: str | None = None) -> list[RepoFacts]:
    """List all repositories side by side: of the cluster that they serve now, or of that of a set."""
    size = server.segment_bytes if server else 16 * 1024**2
    numbers = range(1, len(site().settings.backup.repos) + 1)
    found: list[RepoFacts] = run_together(*(lambda n=n: read_repository(n, size, of_set) for n in numbers))
    return found


@probe
def describe_site(server: ServerFacts) -> dict[str, str]:
    """Note what the site is at this moment: run, application version, server version, timeline."""
    journal = current_journal()
    return {
        "run": journal.run_id if journal else "",
        "application-version": site().application.version() or "unknown",
        "server-version": server.settings.get("server_version", "").split()[0],
        "timeline": str(server.timeline),
        "at-lsn": format_lsn(server.current_lsn),
    }


@probe
def require_answering_repository(repo: int) -> None:
    """Ask the repository for its sets, so that one that hangs is known in seconds and not in minutes.

    Raises: TargetUnreachable, SettingsInvalid.
    """
    site().backups.read_sets(repo)


@action
def take_backup(kind: BackupKind, repo: int, annotations: dict[str, str]) -> str:
    """Take a backup into one repository, from the standby where that works."""
    label, from_standby = site().backups.back_up(kind, repo, annotations, ProgressReporter())
    if site().settings.standby and not from_standby:
        warn("the standby could not serve the backup; it was taken from the primary")
    note(f"backup {label} in repository {repo}, from the {'standby' if from_standby else 'primary'}")
    return label


@verify
def verify_backup_taken(label: str, repo: int, segment_bytes: int) -> BackupSet:
    """Prove that the set is listed, sound, and that its WAL has arrived.

    Raises: VerificationFailed with everything that is wrong.
    """
    found = site().backups.read_repo(repo, segment_bytes)
    backup = next((one for one in found.sets if one.label == label), None)
    failures = [found.problem] if found.problem else backup_age.proof_failures(backup, found)
    if failures or backup is None:
        raise VerificationFailed(
            f"backup {label} in repository {repo} must not be trusted: {'; '.join(failures)}",
            "run: recover backup check; then take another: recover backup run --type full",
        )
    return backup


@action
def mark_backup_verified(backup: BackupSet, level: str) -> None:
    """Stamp a set as proven, with the moment and the depth. Idempotent."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    site().backups.annotate(backup.label, backup.repo, {retention.VERIFIED: now, "verified-level": level})


@action
def expire_sets(repo: int, kept_fulls: int) -> None:
    """Drop what the retention no longer keeps, with the WAL that nothing kept needs.

    Point of no return: the files are deleted.
    """
    site().backups.expire(repo, kept_fulls=kept_fulls)


@action
def drop_set(repo: int, label: str) -> None:
    """Drop one set and all that stand on it.

    Point of no return: the files are deleted.
    """
    site().backups.expire(repo, label=label)


@probe
def find_damaged_files(repo: int) -> tuple[str, ...]:
    """Read every file of a repository and compare its checksum."""
    return site().backups.verify(repo)
