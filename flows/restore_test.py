"""Prove that the backups restore: into scratch, from each region, then gone again."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from checks.backup_age import missing_database
from checks.recovery_target import ARRIVAL_MARGIN, Archive, readable_archive
from checks.run_names import restore_test_name
from flows.backup import RepoChoice, numbers
from flows.restore import restore
from recovery.errors import RecoveryError, VerificationFailed
from recovery.gate import granted
from recovery.site import site
from tasks.artifacts import publish_table
from tasks.backups import read_repositories, read_server_if_it_answers
from tasks.restore_report import RestoreReport
from tasks.step import note, runbook, warn

Moment = Literal["newest", "random", "longest"]


@dataclass(frozen=True)
class TestedRestores:
    """One restore for each repository."""

    reports: tuple[RestoreReport, ...]


@runbook("Restore test", restore_test_name)
def restore_test(
    level: Literal["restore", "data"] = "data", moment: Moment = "random", repo: RepoChoice = "all"
) -> TestedRestores:
    """Prove that the backups restore. The live site is not touched; nothing stays.

    Args:
        level: restore replays the WAL to the moment; data also runs all checks on the rows.
        moment: newest is the end of the archive; random any moment in reach; longest the most WAL to replay.
        repo: all repositories, or only 1 (the site's region) or 2 (the second region).
    """
    reports: list[RestoreReport] = []
    failures: list[str] = []
    server = read_server_if_it_answers()
    missing = missing_database(server, site().settings.database.name) if server else None
    if missing:
        warn(f"{missing}: the newest moments may be out of reach, for nothing is committed any more")
    for number in numbers(repo):
        known = site().settings.backup.repos[number - 1]
        try:
            when = chosen_moment(number, moment)
            note(f"repository {number}: testing {when or 'the end of the archive'}")
            reports.append(
                restore(target_time=when, source_region=known.region, source_bucket=known.bucket, validate_only=level)
            )
        except RecoveryError as error:
            failures.append(f"repository {number} ({known.bucket}): {error.problem}")
            warn(failures[-1])
    publish_table("restore-test", [row(one) for one in reports], "Restores that were proven")
    if failures:
        raise VerificationFailed(
            f"{len(failures)} of {len(numbers(repo))} repositories did not restore: "
            + "; ".join([*failures, *([missing] if missing else [])]),
            "this is an incident: bring the database back (recover backup restore --target-time=MOMENT-BEFORE)"
            if missing
            else "this is an incident: run recover backup check, then take a full backup and test again",
        )
    return TestedRestores(tuple(reports))


def chosen_moment(repo: int, moment: Moment) -> str | None:
    """The moment to restore to, as text; None for the end of the archive."""
    if moment == "newest":
        return None
    server = read_server_if_it_answers()  # again: hours may lie between two repositories, and a failover
    facts = [one for one in read_repositories(server) if one.repo == repo]
    archive = granted(readable_archive(facts, server, None))
    begin, end = reachable(archive) if moment == "random" else longest_replay(archive)
    if begin is None or end is None or end <= begin:
        return None
    when = begin + (end - begin) * random.random() if moment == "random" else end
    return f"{when:%Y-%m-%dT%H:%M:%S.%fZ}"


def reachable(archive: Archive) -> tuple[datetime | None, datetime | None]:
    """The first and the last moment that this archive reaches."""
    ends = [one.stopped_at + timedelta(seconds=1) for one in archive.sets if not one.damaged]
    return min(ends, default=None), last_moment(archive)


def last_moment(archive: Archive) -> datetime | None:
    """The last moment that is surely in reach: replay stops only at a later commit, and that is older than its arrival."""
    arrived = max(archive.arrivals.values(), default=None)
    return arrived - ARRIVAL_MARGIN if arrived else None


def longest_replay(archive: Archive) -> tuple[datetime | None, datetime | None]:
    """The longest stretch between a set and the next one, or the end of the archive."""
    ends = [one.stopped_at + timedelta(seconds=1) for one in archive.sets if not one.damaged]
    last = last_moment(archive)
    if not ends or last is None:
        return None, None
    stretches = list(zip(ends, [*ends[1:], last], strict=True))
    return max(stretches, key=lambda stretch: stretch[1] - stretch[0])


def row(one: RestoreReport) -> dict[str, str]:
    checks = f"{len(one.checks.results) - len(one.checks.failures)} passed" if one.checks else "not asked for"
    return {
        "backup": one.plan.backup.label,
        "repository": str(one.plan.backup.repo),
        "target": str(one.plan.target),
        "seconds": f"{one.recovery_seconds:.1f}",
        "checks": checks,
    }
