"""Restore into something new: a copy beside the live site, or a database under a new name."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from checks.as_recorded import Source
from checks.objectives import data_loss, measured_recovery, recovery_point
from checks.readiness import scratch_refusal
from checks.recovery_target import (
    ARRIVAL_MARGIN,
    Archive,
    choose_restore,
    loading_space_refusal,
    readable_archive,
    space_refusal,
)
from checks.restore_points import choose_restore_point, unread_warning
from checks.restore_request import (
    Wish,
    database_name_refusal,
    failed_checks_refusal,
    proof_refusal,
    read_target,
    source_repositories,
)
from checks.run_names import restore_name
from recovery.errors import RecoveryError, TargetUnreachable, VerificationFailed
from recovery.facts import (
    CheckReport,
    DatabaseAddress,
    ReachedPoint,
    RecordedFacts,
    RecoveryTarget,
    RepoFacts,
    RestorePlan,
    ServerFacts,
    TargetKind,
)
from recovery.gate import granted, require
from recovery.lease import hold_lease
from recovery.settings import RepoSettings
from recovery.site import site
from recovery.stopping import finishing, nothing_left_to_stop
from recovery.wal import Segment
from tasks.backups import (
    find_damaged_files,
    mark_backup_verified,
    read_repositories,
    read_server_if_it_answers,
)
from tasks.copies import (
    CopyPlaces,
    clear_away,
    find_database,
    keep_copy,
    keep_log,
    load_into_site,
    measure_free_space,
    measure_site_disk,
    promote_copy,
    read_site_databases,
    remove_copy,
    restore_copy,
    send_newest_wal,
    start_replay,
    sweep_leftovers,
    sweep_unfinished_databases,
    verify_target_reached,
)
from tasks.data import check_data, leave_report, no_database_report, not_checked_report, start_checker, stop_checker
from tasks.records import read_record, read_witness
from tasks.restore_points import search_restore_points
from tasks.restore_report import Level, RestoreReport, require_handed_over, show_plan, show_report
from tasks.step import runbook, warn

_SEGMENT_NAME = 24  # digits


@dataclass(frozen=True)
class Decision:
    """What a restore will do, and what it was decided from."""

    plan: RestorePlan
    recorded: RecordedFacts | None
    server: ServerFacts | None
    repos: tuple[RepoSettings, ...]
    repo: int  # the position of the set's repository among `repos`

    @property
    def exact(self) -> bool:
        """Whether the copy stands exactly where the row counts were recorded."""
        target = self.plan.target
        return bool(self.recorded and self.recorded.exact and target.exclusive and target.lsn == self.recorded.lsn)


@runbook("Restore", restore_name)
def restore(
    target_time: str | None = None,
    target_lsn: str | None = None,
    target_name: str | None = None,
    backup_id: str | None = None,
    target_database: str | None = None,
    source_region: str | None = None,
    source_bucket: str | None = None,
    validate_only: Level = "no",
    target_timeline: int | None = None,
    accept_failed_checks: str | None = None,
    drop_failed: bool = False,
) -> RestoreReport:
    """Restore into something new; the live database is never written to.

    Without a target the newest moment is restored. The copy is proven to stand where it was told to,
    and checked; then it stays beside the site, or its database appears on the site's server under
    a new name. A copy that fails its checks is kept, too, and marked so: a person decides.

    Args:
        target_time: A moment with seconds and zone, e.g. 2024-01-15T10:30:00Z.
        target_lsn: A WAL position, e.g. 0/5000060.
        target_name: A named restore point.
        backup_id: A backup set; without a target its own end is restored.
        target_database: Put the restored database on the site's server under this new name.
        source_region: Read only the repository of this region.
        source_bucket: Read only the repository in this bucket.
        validate_only: Prove the backup and keep nothing. files reads every file; restore restores and replays; data also checks the rows.
        target_timeline: Follow this timeline instead of the site's own.
        accept_failed_checks: Why the data is wanted although checks fail; without a reason it is not loaded anywhere.
        drop_failed: Drop a copy that fails its checks instead of keeping it.
    """
    wish = Wish(
        target_time,
        target_lsn,
        target_name,
        backup_id,
        target_database,
        source_region,
        source_bucket,
        target_timeline,
        accept_failed_checks,
        drop_failed,
    )
    target = granted(read_target(wish))
    require(failed_checks_refusal(wish, kept=validate_only == "no"), next_step="leave one of the two out")
    require(proof_refusal(wish, kept=validate_only == "no"), next_step="leave out --validate-only or --target-database")
    with hold_lease(site().settings.site.state_dir, "restore"):
        begin = datetime.now(UTC)
        if validate_only in ("no", "data"):
            start_checker()
        try:
            sweep_leftovers()
            decision = decide(wish, target, validate_only)
            show_plan(decision.plan)
            if validate_only == "files":
                return prove_files(decision, begin)
            return bring_back(decision, wish, validate_only, begin)
        except BaseException:
            with finishing():
                clear_away(databases_too=target_database is not None)
            raise
        finally:
            stop_checker()


def decide(wish: Wish, target: RecoveryTarget, level: Level) -> Decision:
    """Facts, then the plan; refused here, before anything is written."""
    require(scratch_refusal(site().settings), next_step="set restore.scratch_dir to a directory of its own")
    server = read_server_if_it_answers()
    if wish.target_database:
        require_free_name(wish.target_database, server)
    wanted = granted(source_repositories(wish, site().settings))
    if server and level == "no" and target.kind is not TargetKind.BACKUP and not wish.target_timeline:
        send_wal_if_needed(target, server)
    repos = [one for one in read_repositories(server, wish.backup_id) if one.repo in wanted]
    plan, recorded = choose(repos, server, wish, target, level)
    refusal = space_refusal(plan, measure_free_space(), site().settings.restore.space_factor)
    require(refusal, next_step="free disk space, or point restore.scratch_dir at a larger disk")
    if wish.target_database and server:
        free_bytes, shared = measure_site_disk(server.data_dir)
        refusal = loading_space_refusal(plan, free_bytes, site().settings.restore.space_factor, shared=shared)
        require(refusal, next_step="free disk space there; without --target-database you get a copy of its own")
    readable = [one.repo for one in repos if one.problem is None]
    chosen = tuple(site().settings.backup.repos[number - 1] for number in readable)
    return Decision(plan, recorded, server, chosen, readable.index(plan.backup.repo) + 1)


def choose(
    repos: list[RepoFacts], server: ServerFacts | None, wish: Wish, target: RecoveryTarget, level: Level
) -> tuple[RestorePlan, RecordedFacts | None]:
    """The set, the timeline and the WAL that reach the target."""
    archive = granted(readable_archive(repos, server, wish.target_timeline))
    if target.kind is TargetKind.NAME:
        readable = tuple(site().settings.backup.repos[one.repo - 1] for one in repos if one.problem is None)
        target = locate(target, archive, readable)
    plan = granted(choose_restore(archive, target, wish.backup_id, datetime.now(UTC)))
    recorded = read_record(plan.backup)
    if level == "data" and target.kind is TargetKind.BACKUP and recorded and recorded.exact:
        # One step further than the set's end the rows were counted: there they can be compared to the row.
        counted = RecoveryTarget(TargetKind.LSN, lsn=recorded.lsn, exclusive=True)
        further = choose_restore(archive, counted, wish.backup_id, datetime.now(UTC))
        plan = further if isinstance(further, RestorePlan) else plan
    return plan, recorded


def locate(target: RecoveryTarget, archive: Archive, repos: tuple[RepoSettings, ...]) -> RecoveryTarget:
    """The position of a restore point: sets and WAL are chosen by it."""
    name = target.name or ""
    names = tuple(archive.name(number) for number in sorted(archive.arrivals))
    found = search_restore_points(name, names, archive.segment_bytes, repos)
    point = granted(choose_restore_point(name, found, archive.way.timeline))
    if unseen := unread_warning(name, found):
        warn(unseen)
    return replace(target, lsn=point.lsn)


def send_wal_if_needed(target: RecoveryTarget, server: ServerFacts) -> None:
    """Bring the newest moments into the archive; without that the archive alone decides."""
    # What arrived a moment ago was closed before: it may hold no commit behind the target.
    archived = server.last_archived_at
    if target.lsn and (target.lsn > server.current_lsn or archive_reached(target.lsn, server)):
        return
    if target.moment and (target.moment > server.now or (archived and target.moment < archived - ARRIVAL_MARGIN)):
        return
    try:
        send_newest_wal()
    except RecoveryError as error:
        warn(f"the newest WAL could not be archived, so the newest moments may be out of reach: {error.problem}")


def archive_reached(lsn: int, server: ServerFacts) -> bool:
    """Whether the segment that holds a position was archived already."""
    newest = server.last_archived_wal or ""
    if len(newest) != _SEGMENT_NAME:  # nothing yet, or a history file
        return False
    return Segment.parse(newest, server.segment_bytes).number >= lsn // server.segment_bytes


def require_free_name(name: str, server: ServerFacts | None) -> None:
    """The new database must not collide with anything."""
    if server is None:
        raise TargetUnreachable(
            f"the site's server could not be read, so {name} cannot be made there",
            "recover settings check says what is wrong; without --target-database you get a copy of its own",
        )
    sweep_unfinished_databases()
    refusal = database_name_refusal(name, site().settings, read_site_databases())
    require(refusal, next_step="choose another name for --target-database")


def prove_files(decision: Decision, begin: datetime) -> RestoreReport:
    """The first level: every file of the repository is read and its checksum compared."""
    backup = decision.plan.backup
    damage = find_damaged_files(backup.repo)
    if damage:
        raise VerificationFailed(
            f"repository {backup.repo} is damaged: {'; '.join(damage)}",
            "restore from the other region (--source-region); take a full backup: recover backup run --type full",
        )
    mark_backup_verified(backup, "files")
    return RestoreReport(decision.plan, "files", seconds_since(begin))


def bring_back(decision: Decision, wish: Wish, level: Level, begin: datetime) -> RestoreReport:
    """Restore, replay, prove, check; then keep the copy, load it, or drop it."""
    plan = decision.plan
    places, proven = restore_copy(plan, decision.repos, decision.repo), False
    try:
        start_replay(places, decision.server)
        reached = verify_target_reached(places, plan)
        promote_copy(places)
        proven = level == "no"
        report = RestoreReport(plan, level, 0.0, reached, recovery_point(reached))
        if level != "restore":
            report = replace(report, checks=checked(decision, reached, find_database(places)))
        report = handed_over(report, places, wish)
    except BaseException as error:
        with finishing():
            keep_log(places)
            # The data is there: a fault of ours in what comes after must not take it away. Who stops the run wants it gone.
            keep_as_it_is(places) if proven and isinstance(error, Exception) else drop(places)
        raise
    with finishing():
        if report.copy is None:
            remove_copy(places)
        report = timed(report, decision, begin)
        stamp(report)
        show_report(report)
        if report.copy or report.database:  # it must be said where that is
            nothing_left_to_stop()
    require_handed_over(report)
    return report


def handed_over(report: RestoreReport, places: CopyPlaces, wish: Wish) -> RestoreReport:
    """What was restored goes where it was wanted: nowhere, into the site's server, or it stays as it is.

    Data that fails its checks is never taken away: its copy stays, marked, unless a person wanted it dropped.
    """
    if report.level != "no":
        return report
    verdict = report.checks.verdict if report.checks else ""
    if verdict and wish.accept_failed_checks:
        warn(f"{verdict}, accepted: {wish.accept_failed_checks}")
        verdict = f"{verdict}, accepted: {wish.accept_failed_checks}"
        report = replace(report, accepted=wish.accept_failed_checks)
    if report.withheld and wish.drop_failed and report.checks and report.checks.failures:
        return report
    if wish.target_database and not report.withheld:
        try:
            left_out = load_into_site(places, wish.target_database)
            return replace(report, database=wish.target_database, left_out=left_out)
        except RecoveryError as error:  # the data itself is here
            report = replace(report, not_loaded=error.problem)
            verdict = verdict or f"not loaded into {wish.target_database}"
    keep_copy(places, verdict)
    return replace(report, copy=places.folder.name, address=find_database(places))


def keep_as_it_is(places: CopyPlaces) -> None:
    """Keep a copy that stands where it should, but that nobody has judged."""
    try:
        keep_copy(places, "not checked")
        warn(f"the copy {places.folder.name} is kept as it is; nobody has judged it")
    except RecoveryError as error:
        warn(f"{places.folder} could not be marked as kept: {error.problem}")


def drop(places: CopyPlaces) -> None:
    """Remove a copy that failed; what made it fail is what the operator must read."""
    try:
        remove_copy(places)
    except RecoveryError as error:
        warn(f"{places.folder} could not be removed now; the next restore removes it: {error.problem}")


def known_source(decision: Decision, reached: ReachedPoint) -> Source:
    """What is known of the database that was brought back."""
    recorded, server, exact = decision.recorded, decision.server, decision.exact
    # Of another timeline the live database is no witness, nor of a copy that stands before the record.
    same = server is not None and server.timeline == decision.plan.timeline
    later = recorded is not None and reached.lsn >= recorded.lsn
    live = read_witness() if same and later and not exact else None
    tolerance = site().settings.checks.row_count_tolerance
    return Source(recorded, exact, tolerance, live, later=later, proven=True, same_line=same)


def checked(decision: Decision, reached: ReachedPoint, address: DatabaseAddress) -> CheckReport:
    """The data checks of the copy. Whatever keeps them from being made, the data is there all the same."""
    try:
        if not address.name:
            report = no_database_report(address, site().settings.database.name)
            leave_report(report)
            return report
        return check_data(address, known_source(decision, reached), target=decision.plan.target.moment)
    except RecoveryError as error:
        report = not_checked_report(address, error.problem)
        leave_report(report)
        return report


def timed(report: RestoreReport, decision: Decision, begin: datetime) -> RestoreReport:
    """Hold what was measured against what was promised: the clock stops when the data is handed over."""
    took = datetime.now(UTC) - begin
    loss = data_loss(report.reached, report.plan.target, decision.server, datetime.now(UTC)) if report.reached else None
    metrics = measured_recovery(site().settings.objectives, took, loss)
    return replace(report, recovery_seconds=round(took.total_seconds(), 2), metrics=metrics)


def stamp(report: RestoreReport) -> None:
    """Note on the set that it was proven, and how deeply."""
    if report.checks and not report.checks.passed:
        return  # it must not count as the proven set that the retention keeps
    level = "data" if report.level == "no" else report.level
    try:
        mark_backup_verified(report.plan.backup, "restore" if report.checks and report.checks.unseen else level)
    except RecoveryError as error:
        warn(f"the backup was proven, but could not be stamped as such: {error.problem}")


def seconds_since(begin: datetime) -> float:
    return round((datetime.now(UTC) - begin).total_seconds(), 2)
