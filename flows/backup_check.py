"""Look at every backup and every WAL segment, and name what is wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime

from checks.backup_age import age_failures, archiving_failures, missing_database, newest_complete_set
from checks.run_names import backup_check_name
from checks.wal_archive import lost_ranges, wal_ranges
from flows.backup import RepoChoice, numbers
from recovery.errors import VerificationFailed
from recovery.facts import RepoFacts, ServerFacts, WalRange
from recovery.site import site
from tasks.artifacts import publish_table
from tasks.backups import find_damaged_files, read_repositories, read_server_if_it_answers
from tasks.preparation import find_stale_configuration
from tasks.step import runbook


@dataclass(frozen=True)
class RepoReport:
    """One repository: what it could bring back, and what is wrong with it."""

    repo: int
    bucket: str
    region: str
    newest_set: str | None
    recovery_point: datetime | None
    wal: tuple[WalRange, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class CheckedBackups:
    """All repositories and the server's side of archiving."""

    repos: tuple[RepoReport, ...]
    server_failures: tuple[str, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        found = [f"repository {one.repo} ({one.bucket}): {failure}" for one in self.repos for failure in one.failures]
        return (*self.server_failures, *found)


@runbook("Backup check", backup_check_name)
def backup_check(repo: RepoChoice = "all", read_files: bool = True) -> CheckedBackups:
    """Look at every backup and every WAL segment, and name what is wrong.

    Every file of every repository is read and its checksum compared; missing WAL is named per
    timeline; the second region's own recovery point is measured; ages are held against the RPO.
    Fails when anything is wrong. Works with the primary dead.

    Args:
        repo: all repositories, or only 1 (the site's region) or 2 (the second region).
        read_files: Read every file and compare its checksum. Off: only lists and ages, in seconds.
    """
    wanted = numbers(repo)
    server = read_server_if_it_answers()
    reports = tuple(look_at(facts, server, read_files) for facts in read_repositories(server) if facts.repo in wanted)
    checked = CheckedBackups(reports, tuple(server_side(server)))
    publish_table("backup-check", [row(one) for one in reports], "Repositories")
    publish_table("wal-ranges", [wal_row(one, run) for one in reports for run in one.wal], "WAL by timeline")
    if checked.failures:
        raise VerificationFailed(
            f"{number_of(len(checked.failures))} wrong with the backups:\n- " + "\n- ".join(checked.failures),
            "mend the cause, then take a full backup (recover backup run --type full) and run this again",
        )
    return checked


def look_at(facts: RepoFacts, server: ServerFacts | None, read_files: bool) -> RepoReport:
    """One repository: readable, complete, young enough, every file sound, no WAL lost."""
    if facts.problem is not None:
        return RepoReport(facts.repo, facts.bucket, facts.region, None, None, (), (facts.problem,))
    wal = wal_ranges(facts, server)
    failures = age_failures(facts, datetime.now(UTC), site().settings.objectives.rpo)
    failures += [f"backup {one.label} holds damaged pages" for one in facts.sets if one.damaged]
    failures += [
        f"WAL {shown(lost)} on timeline {lost.timeline} is lost: moments behind it need a newer backup"
        for lost in lost_ranges(wal)
    ]
    if read_files:
        failures += [f"damaged file: {line}" for line in find_damaged_files(facts.repo)]
    newest = newest_complete_set(facts)
    point = facts.newest_archived_at if newest else None
    label = newest.label if newest else None
    return RepoReport(facts.repo, facts.bucket, facts.region, label, point, wal, tuple(failures))


def server_side(server: ServerFacts | None) -> list[str]:
    """What is wrong on the server's side: archiving, and the generated configuration."""
    failures = [f"{change.what}: {change.why}" for change in find_stale_configuration()]
    if server is None:
        return failures
    missing = missing_database(server, site().settings.database.name)
    return archiving_failures(server) + failures + ([missing] if missing else [])


def number_of(things: int) -> str:
    return "1 thing is" if things == 1 else f"{things} things are"


def shown(run: WalRange) -> str:
    return run.first if run.count == 1 else f"{run.first} … {run.last} ({run.count} segments)"


def row(one: RepoReport) -> dict[str, str]:
    point = f"{one.recovery_point:%Y-%m-%d %H:%M:%S} UTC" if one.recovery_point else "none"
    return {
        "repository": f"{one.repo} {one.bucket} ({one.region})",
        "newest complete set": one.newest_set or "none",
        "recovery point": point,
        "wrong": "<br>".join(one.failures) or "nothing",
    }


def wal_row(one: RepoReport, run: WalRange) -> dict[str, str]:
    return {
        "repository": str(one.repo),
        "timeline": str(run.timeline),
        "segments": shown(run),
        "count": str(run.count),
        "state": run.state.value,
    }
