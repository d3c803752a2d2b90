"""Backup statistics: what every repository holds and how it grew."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from recovery.cli.output import print_json, table
from recovery.errors import VerificationFailed
from recovery.site import site

if TYPE_CHECKING:
    from recovery.facts import RepoFacts


@dataclass(frozen=True)
class Statistics:
    """One repository in numbers."""

    repo: int
    bucket: str
    region: str
    problem: str | None
    full: int
    diff: int
    incr: int
    damaged: int
    proven: int
    set_bytes: int
    wal_segments: int
    wal_bytes: int
    oldest: datetime | None
    newest: datetime | None
    recovery_point: datetime | None
    median_seconds: float | None


def show_statistics(as_json: bool) -> None:
    """Print the statistics of every repository."""
    from tasks.backups import read_repositories, read_server_if_it_answers

    found = [statistics(one) for one in read_repositories(read_server_if_it_answers())]
    if all(one.problem for one in found):  # zeroes would be a lie
        raise VerificationFailed(
            f"no repository can be read: {'; '.join(f'{one.bucket}: {one.problem}' for one in found)}",
            "look at the network, the keys and the bucket, then run: recover settings check",
        )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    rows = list(zip(*(_column(one) for one in found), strict=True))
    head = ("", *(f"repository {one.repo}" for one in found))
    table(head, [(name, *cells) for name, cells in zip(_ROWS, rows, strict=True)])
    print(f"Retention: {', '.join(str(r.retention_full) for r in site().settings.backup.repos)} full sets.")


def statistics(repo: RepoFacts) -> Statistics:
    """The numbers of one repository."""
    import statistics as numbers

    sets = repo.sets
    seconds = [(one.stopped_at - one.started_at).total_seconds() for one in sets]
    return Statistics(
        repo=repo.repo,
        bucket=repo.bucket,
        region=repo.region,
        problem=repo.problem,
        full=sum(one.kind == "full" for one in sets),
        diff=sum(one.kind == "diff" for one in sets),
        incr=sum(one.kind == "incr" for one in sets),
        damaged=sum(one.damaged for one in sets),
        proven=sum("verified-at" in one.annotations for one in sets),
        set_bytes=sum(one.repo_bytes for one in sets),
        wal_segments=len(repo.segments),
        wal_bytes=sum(one.repo_bytes for one in repo.segments),
        oldest=min((one.stopped_at for one in sets), default=None),
        newest=max((one.stopped_at for one in sets), default=None),
        recovery_point=repo.newest_archived_at,
        median_seconds=numbers.median(seconds) if seconds else None,
    )


_ROWS = (
    "bucket",
    "region",
    "state",
    "sets (full/diff/incr)",
    "damaged",
    "proven to restore",
    "size of sets",
    "WAL",
    "oldest set",
    "newest set",
    "recovery point",
    "median backup",
)


def _column(one: Statistics) -> tuple[str, ...]:
    return (
        one.bucket,
        one.region,
        one.problem or "ok",
        f"{one.full}/{one.diff}/{one.incr}",
        str(one.damaged),
        str(one.proven),
        f"{one.set_bytes / 1e6:.1f} MB",
        f"{one.wal_segments} segments, {one.wal_bytes / 1e6:.1f} MB",
        _moment(one.oldest),
        _moment(one.newest),
        _moment(one.recovery_point),
        "none" if one.median_seconds is None else f"{one.median_seconds:.0f} s",
    )


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "none"
