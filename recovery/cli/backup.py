"""recover backup …: one command for each `npm run backup:*` of the runbook."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recovery.cli.options import text
from recovery.cli.output import Json, print_json, show_run, table

if TYPE_CHECKING:
    from recovery.facts import BackupSet

app = typer.Typer(help="Take, list, prove, restore and expire backups.", no_args_is_help=True, add_completion=False)


class Kind(StrEnum):
    """What a backup copies."""

    FULL = "full"
    DIFF = "diff"
    INCR = "incr"


class Repo(StrEnum):
    """Which repositories."""

    ALL = "all"
    FIRST = "1"
    SECOND = "2"


class Level(StrEnum):
    """How deep a backup is proven."""

    FILES = "files"
    RESTORE = "restore"
    DATA = "data"


class Moment(StrEnum):
    """Which moment a test restores to."""

    NEWEST = "newest"
    RANDOM = "random"
    LONGEST = "longest"


RepoOption = Annotated[Repo, typer.Option("--repo", help="all, 1 (the site's region) or 2 (the second region)")]
BackupId = Annotated[str | None, text("--backup-id", help="a backup set, as recover backup list shows it")]


@app.command()
def run(
    kind: Annotated[
        Kind, typer.Option("--type", help="full, diff (since the last full) or incr (since the last backup)")
    ] = Kind.INCR,
    repo: RepoOption = Repo.ALL,
    as_json: Json = False,
) -> None:
    """Take a backup into every repository, and prove it."""
    report = show_run("flows.backup", "backup", as_json, kind=kind.value, repo=repo.value)
    _show_sets(report.sets, as_json)


@app.command("list")
def list_backups(repo: RepoOption = Repo.ALL, as_json: Json = False) -> None:
    """List the backup sets, newest first."""
    _show_sets(_all_sets(repo), as_json)


@app.command()
def latest(repo: RepoOption = Repo.ALL, as_json: Json = False) -> None:
    """Print the id of the newest sound backup set, and nothing else."""
    from recovery.errors import GateRefused

    newest = next((one for one in _all_sets(repo) if not one.damaged), None)
    if newest is None:
        raise GateRefused("there is no backup yet", "take one: recover backup run --type full")
    if as_json:
        print_json(newest)
    else:
        print(newest.label)


@app.command()
def stats(as_json: Json = False) -> None:
    """Show backup statistics of every repository: sets, sizes, ages, recovery point."""
    from recovery.cli.statistics import show_statistics

    show_statistics(as_json)


@app.command()
def verify(
    database: Annotated[str | None, text(help="check the data of this database on the site's server")] = None,
    as_json: Json = False,
) -> None:
    """Verify data: of a database on the site's server (--database), else of the site's own."""
    from recovery.cli.restored import counted, show_findings
    from recovery.errors import VerificationFailed

    report = show_run("flows.data_check", "data_check", as_json, database=database)
    if as_json:
        print_json(report)
    else:
        show_findings(report)
        print(f"{report.database}: checks {counted(report)}")
    if not report.passed:
        raise VerificationFailed(
            f"{report.database}: {report.verdict}; the first: {report.worst}",
            "read checks.html in the folder of this run",
        )


@app.command()
def check(
    repo: RepoOption = Repo.ALL,
    quick: Annotated[bool, typer.Option("--quick", help="only lists and ages; do not read every file")] = False,
    as_json: Json = False,
) -> None:
    """Look at every backup and every WAL segment, and name what is wrong."""
    report = show_run("flows.backup_check", "backup_check", as_json, repo=repo.value, read_files=not quick)
    if as_json:
        print_json(report)
        return
    rows = [
        (
            f"{one.repo} {one.bucket}",
            one.region,
            one.newest_set,
            _moment(one.recovery_point),
            f"{sum(w.count for w in one.wal)} found",
        )
        for one in report.repos
    ]
    table(("repository", "region", "newest complete set", "recovery point", "WAL"), rows, title="Nothing is wrong")


@app.command()
def restore(
    target_time: Annotated[str | None, text(help="a moment with zone, e.g. 2024-01-15T10:30:00Z")] = None,
    target_lsn: Annotated[str | None, text(help="a WAL position, e.g. 0/5000060")] = None,
    target_name: Annotated[str | None, text(help="a named restore point")] = None,
    backup_id: BackupId = None,
    target_database: Annotated[
        str | None, text(help="put the database on the site's server under this new name")
    ] = None,
    source_region: Annotated[str | None, text(help="read only the repository of this region")] = None,
    source_bucket: Annotated[str | None, text(help="read only the repository in this bucket")] = None,
    validate_only: Annotated[bool, typer.Option("--validate-only", help="prove the backup and keep nothing")] = False,
    level: Annotated[
        Level | None, typer.Option(help="with --validate-only: files, restore or data; unset: data")
    ] = None,
    target_timeline: Annotated[
        int | None, typer.Option(min=1, help="follow this timeline instead of the site's own")
    ] = None,
    accept_failed_checks: Annotated[
        str | None, text(metavar="REASON", help="hand the data out although checks fail; the reason is kept")
    ] = None,
    drop_failed: Annotated[
        bool, typer.Option("--drop-failed", help="drop a copy that fails its checks; else it is kept and marked")
    ] = False,
    as_json: Json = False,
) -> None:
    """Restore into something new: the newest moment, a moment, a WAL position, a restore point or a backup."""
    from recovery.cli.restored import show_restored

    if level and not validate_only:
        raise typer.BadParameter("says how deep --validate-only proves: add that", param_hint="--level")
    report = show_run(
        "flows.restore",
        "restore",
        as_json,
        target_time=target_time,
        target_lsn=target_lsn,
        target_name=target_name,
        backup_id=backup_id,
        target_database=target_database,
        source_region=source_region,
        source_bucket=source_bucket,
        validate_only=(level or Level.DATA).value if validate_only else "no",
        target_timeline=target_timeline,
        accept_failed_checks=accept_failed_checks,
        drop_failed=drop_failed,
    )
    show_restored(report, as_json)


@app.command()
def test(
    level: Annotated[Level, typer.Option(help="restore or data")] = Level.DATA,
    moment: Annotated[Moment, typer.Option(help="newest, random, or longest (the most WAL to replay)")] = Moment.RANDOM,
    repo: RepoOption = Repo.ALL,
    as_json: Json = False,
) -> None:
    """Prove that the backups restore, from every repository; nothing stays."""
    if level is Level.FILES:
        raise typer.BadParameter("a test restores: choose restore or data", param_hint="--level")
    tested = show_run(
        "flows.restore_test", "restore_test", as_json, level=level.value, moment=moment.value, repo=repo.value
    )
    if as_json:
        print_json(tested)
        return
    rows = [
        (r.plan.backup.label, r.plan.backup.repo, str(r.plan.target), f"{r.recovery_seconds:.1f} s", _checks(r))
        for r in tested.reports
    ]
    table(("backup", "repository", "target", "took", "checks"), rows, title="Proven")


@app.command()
def expire(
    backup_id: BackupId = None,
    repo: RepoOption = Repo.ALL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would go")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Drop what the retention no longer keeps, or one set; never the last sound or proven one."""
    going = show_run(
        "flows.backup_expire", "backup_expire", True, part=True, backup_id=backup_id, repo=repo.value, dry_run=True
    )
    if going.sets and not dry_run:
        if not yes:
            _ask_before_dropping(going.sets)
        going = show_run(
            "flows.backup_expire", "backup_expire", as_json, backup_id=backup_id, repo=repo.value, dry_run=False
        )
    if as_json:
        print_json(going)
    elif not going.sets:
        print("Nothing to drop: every set is kept by the retention.")
    else:
        _show_sets(going.sets, False, title="dropped" if going.dropped else "would be dropped")


@app.command()
def copies(as_json: Json = False) -> None:
    """List the restored copies that are kept beside the site."""
    from recovery.cli.restored import show_copies

    show_copies(as_json)


@app.command("drop-copy")
def drop_copy(name: Annotated[str, typer.Argument(help="as recover backup copies shows it")]) -> None:
    """Stop a restored copy and remove it."""
    from recovery.site import site
    from recovery.stopping import outliving_the_terminal

    with outliving_the_terminal(lambda: None):
        site().copies.remove(site().copies.find(name))
        print(f"{name} is gone.")


def _all_sets(repo: Repo) -> list[BackupSet]:
    """The sets of the repositories, newest first. One that cannot be read is a warning if another can."""
    from recovery.errors import GateRefused, RecoveryError
    from recovery.site import site

    sets: list[BackupSet] = []
    failures: list[RecoveryError] = []
    wanted = [n for n in range(1, len(site().settings.backup.repos) + 1) if repo is Repo.ALL or str(n) == repo.value]
    if not wanted:  # no repository is not an empty one
        raise GateRefused(f"this site has no repository {repo.value}", "leave out --repo; recover settings show")
    for number, answer in zip(wanted, _asked_together(wanted), strict=True):
        if isinstance(answer, RecoveryError):
            failures.append(answer)
            print(f"recover: repository {number}: {answer.problem}", file=sys.stderr)
        else:
            sets += answer
    if failures and len(failures) == len(wanted):
        raise failures[0]
    return sorted(sets, key=lambda one: one.stopped_at, reverse=True)


def _asked_together(numbers: list[int]) -> list[Any]:
    from concurrent.futures import ThreadPoolExecutor

    from recovery.errors import RecoveryError
    from recovery.site import site

    store = site().backups

    def ask(number: int) -> Any:
        try:
            return store.read_sets(number)
        except RecoveryError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, len(numbers))) as pool:
        return list(pool.map(ask, numbers))


def _show_sets(sets: Any, as_json: bool, *, title: str = "") -> None:
    if as_json:
        print_json(list(sets))
        return
    rows = [
        (
            one.label,
            one.kind,
            str(one.repo),
            _moment(one.stopped_at),
            f"{one.database_bytes / 1e6:.1f} MB",
            f"{one.repo_bytes / 1e6:.1f} MB",
            "DAMAGED" if one.damaged else one.annotations.get("verified-level", ""),
        )
        for one in sets
    ]
    table(("backup", "type", "repo", "ended", "database", "stored", "proven"), rows, title=title)


def _ask_before_dropping(sets: Any) -> None:
    _show_sets(sets, False, title="These sets will be dropped; nothing brings them back")
    if not sys.stdin.isatty() or not _confirmed("Drop them?"):
        from recovery.errors import NotApproved

        raise NotApproved(
            "nobody approved dropping these sets; nothing was dropped", "run it in a terminal, or add --yes"
        )


def _confirmed(question: str) -> bool:
    """Whether a person says yes. Who ends the input instead (Ctrl-D) says no."""
    try:
        return typer.confirm(question)
    except typer.Abort as end:
        if isinstance(stop := end.__context__, KeyboardInterrupt):
            raise stop from None
        return False


def _moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "none"


def _checks(report: Any) -> str:
    return "" if report.checks is None else f"{sum(r.passed for r in report.checks.results)} passed"
