"""Drop backup sets, but never the last one that is sound or proven."""

from dataclasses import dataclass

from checks.retention import dependents, drop_refusal, expired_by, full_sets_kept
from checks.run_names import backup_expire_name
from flows.backup import RepoChoice, forget, numbers
from recovery.facts import BackupSet, RepoFacts
from recovery.gate import require
from recovery.site import site
from tasks.backups import drop_set, expire_sets, read_repository
from tasks.step import note, runbook


@dataclass(frozen=True)
class Expired:
    """The sets that go, or (dry run) would go."""

    sets: tuple[BackupSet, ...]
    dropped: bool


@runbook("Expire backups", backup_expire_name)
def backup_expire(backup_id: str | None = None, repo: RepoChoice = "all", dry_run: bool = True) -> Expired:
    """Drop what the retention no longer keeps, or one named set with all that stand on it.

    Refuses to drop the last sound full set and the last set that was proven to restore.

    Args:
        backup_id: One set; empty means what the retention no longer keeps.
        repo: all repositories, or only 1 (the site's region) or 2 (the second region).
        dry_run: Only show what would go.
    """
    going: list[BackupSet] = []
    plans: list[tuple[int, int]] = []
    for number in numbers(repo):
        facts = read_what_is_kept(number)
        sets = facts.every_set
        if backup_id and backup_id in {one.label for one in sets}:
            in_use = backup_id in {one.label for one in facts.sets}  # a cluster before this one may be forgotten whole
            require(
                drop_refusal(facts.sets, backup_id) if in_use else None,
                next_step="take and prove another backup first: recover backup run, recover backup test",
            )
            going += dependents(sets, backup_id)
            plans.append((number, 0))
        elif not backup_id:
            kept = full_sets_kept(sets, site().settings.backup.repos[number - 1].retention_full)
            going += expired_by(sets, kept)
            plans.append((number, kept))
    require(None if plans else f"there is no backup {backup_id}", next_step="recover backup list shows the ids")
    for one in going:
        note(f"{'would drop' if dry_run else 'dropping'} {one.label} in repository {one.repo}")
    for number, kept in plans if not dry_run else ():
        if backup_id:
            drop_set(number, backup_id)
        else:
            expire_sets(number, kept)
        forget(number)
    return Expired(tuple(going), not dry_run)


def read_what_is_kept(repo: int) -> RepoFacts:
    """Read a repository; in one that cannot be read no set could be judged."""
    facts = read_repository(repo)
    refusal = f"repository {repo} cannot be read: {facts.problem}" if facts.problem else None
    require(refusal, next_step="mend that, or name the other repository with --repo")
    return facts
