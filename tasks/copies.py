"""Restored copies, step by step: from a plan to a server that stands where it was told to stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from checks import recovery_target
from checks.restore_request import HALF_LOADED
from recovery.adapters import files
from recovery.adapters.postgres.copy_settings import limits_of_server
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.adapters.postgres.loading import Load
from recovery.adapters.postgres.properties import read_properties, read_search_path
from recovery.adapters.postgres.recovered import CopyPlaces as CopyPlaces
from recovery.adapters.postgres.replay import follow_replay
from recovery.errors import GateRefused, RecoveryError, VerificationFailed
from recovery.facts import DatabaseAddress, LeftOut, ReachedPoint, RestorePlan, ServerFacts
from recovery.settings import RepoSettings
from recovery.site import site
from recovery.stopping import finishing, nothing_left_to_stop
from tasks.artifacts import ProgressArtifact
from tasks.step import ProgressReporter, action, note, probe, verify, warn

_WAL_SECONDS = 120.0  # one segment is sent; its second region may be far


@action
def sweep_leftovers() -> list[str]:
    """Remove what killed runs left behind. Idempotent; kept copies and running ones stay."""
    swept = site().copies.sweep()
    for name in swept:
        note(f"removed what an interrupted run left: {name}")
    return swept


@action
def send_newest_wal() -> None:
    """Have the primary close and archive its current WAL segment, so that the newest moments are in reach.

    A heartbeat goes first: replay to a moment stops only at a later commit, and an idle site makes none.
    Waits: up to two minutes for the archive.
    """
    primary = site().primary
    try:
        primary.beat()
    except RecoveryError as error:
        note(f"no heartbeat could be written before the WAL was sent: {error.problem}")
    primary.wait_until_archived(primary.switch_wal(), seconds=_WAL_SECONDS)


@probe
def measure_free_space() -> int:
    """Measure the free space where copies are made."""
    return site().copies.free_bytes()


@probe
def measure_site_disk(data_dir: str) -> tuple[int, bool]:
    """Measure the free space where the site's server keeps its databases, and see whether copies are made there, too."""
    live, scratch = Path(data_dir), site().settings.scratch_dir
    return files.free_bytes(site().host, live), files.on_one_disk(site().host, live, scratch)


@action
def restore_copy(plan: RestorePlan, repos: tuple[RepoSettings, ...], repo: int) -> CopyPlaces:
    """Restore the files of the chosen set into a new folder, apart from everything live."""
    places = site().copies.prepare(plan.backup.label, str(plan.target), repos)
    note(f"restoring {plan.backup.label} to {plan.target} in {places.folder}")
    bar = ProgressArtifact("restore-progress", f"Restore of {plan.backup.label}")
    try:
        site().copies.restore_files(plan, places, repo, ProgressReporter(bar))
    except GateRefused:  # what is there is somebody's
        raise
    except BaseException:
        with finishing():
            site().copies.remove(places)  # nothing half-restored stays
        raise
    bar.end()
    return places


@action
def start_replay(places: CopyPlaces, live: ServerFacts | None = None) -> None:
    """Start the copy's server: it replays WAL from the archive, archives nothing and keeps to itself.

    `live`: the server whose WAL it is. The copy is given its limits: a replay stops where its primary had more.
    """
    site().copies.server(places).start(limits_of_server(live.settings) if live else {})


@verify
def verify_target_reached(places: CopyPlaces, plan: RestorePlan) -> ReachedPoint:
    """Follow the replay to its target and prove from the server's own log that it stopped there.

    Waits: up to restore.start_seconds. Raises: VerificationFailed.
    """
    settings = site().settings
    server = site().copies.server(places)
    reached = follow_replay(server, plan, settings.restore.start_seconds, ProgressReporter())
    refusal = recovery_target.reached_refusal(plan, reached.last_commit_at, reached.lsn)
    if refusal:
        raise VerificationFailed(refusal, "do not use this copy; run this again, with --backup-id of an older set")
    note(f"reached: {reached.proof}")
    return replace(reached, heartbeat_at=_heartbeat(server.address(settings.database.name)))


def _heartbeat(database: DatabaseAddress) -> datetime | None:
    """The newest heartbeat in a copy; None also when it cannot be read: the copy stands where it should all the same."""
    try:
        there = database.name in SiteDatabases(database).names()
        return SiteDatabases(database).read_heartbeat() if there else None
    except RecoveryError as error:
        warn(f"the copy's heartbeat could not be read: {error.problem}")
        return None


@probe
def find_database(places: CopyPlaces) -> DatabaseAddress:
    """Find the application's database in a copy; an address without a name: the copy has none of that name."""
    server, name = site().copies.server(places), site().settings.database.name
    return server.address(name if name in SiteDatabases(server.address()).names() else "")


@action
def promote_copy(places: CopyPlaces) -> None:
    """End the copy's recovery, so that it can be written to. The live site is not touched. Idempotent."""
    site().copies.server(places).promote()


@action
def keep_copy(places: CopyPlaces, verdict: str = "") -> None:
    """Let the copy outlive this run, with what speaks against it. A person drops it: recover backup drop-copy."""
    site().copies.keep(places, verdict)


@action
def remove_copy(places: CopyPlaces) -> None:
    """Stop the copy and remove it. Idempotent."""
    site().copies.remove(places)


def keep_log(places: CopyPlaces) -> Path | None:
    """Keep the copy's server log beside the journal."""
    from recovery.journal import current_journal

    journal = current_journal()
    try:
        return journal.leave("restored-server.log", site().copies.server(places).log_text()) if journal else None
    except RecoveryError as error:
        note(f"the copy's server log could not be kept: {error.problem}")  # what failed before is what counts
        return None


def clear_away(*, databases_too: bool) -> None:
    """Remove what this run had begun and nobody keeps: a stop may come at any moment, also between two steps."""
    try:
        for name in site().copies.sweep(ours_too=True):
            note(f"removed what this run had begun: {name}")
        if databases_too:
            drop_unfinished_databases()
    except RecoveryError as error:
        warn(f"what this run had begun could not all be removed; the next restore removes it: {error.problem}")


# The database on the site's own server -------------------------------------------------------------


@probe
def read_site_databases() -> tuple[str, ...]:
    """Read the names of the databases on the site's server."""
    return SiteDatabases(site().admin_address()).names()


@action
def load_into_site(places: CopyPlaces, name: str) -> tuple[LeftOut, ...]:
    """Copy the restored database to the site's server under a new name; what could not be made there, named.

    It is loaded under a name of its own, closed to everybody, and gets its rights and its final name when it is
    complete: a database of the wanted name always has all its rows.
    Raises: CommandFailed, VerificationFailed; what was loaded is removed again.
    """
    settings, databases = site().settings, SiteDatabases(site().admin_address())
    source = site().copies.server(places).address(settings.database.name)
    properties = read_properties(source)
    unfinished = _unfinished(places.folder.name)
    databases.create(unfinished, properties)
    try:
        load = Load(
            host=site().host,
            bin_dir=settings.database.bin_dir,
            folder=places.folder,
            source=source,
            into=site().admin_address(unfinished),
            search_path=read_search_path(source, settings.database.user),
            seconds=settings.backup.timeout_seconds,
        )
        left_out = load.run()
        with finishing():
            left_out += databases.hand_over(unfinished, name, properties)
            nothing_left_to_stop()  # run again, this would be refused: the database is there
            note(f"the restored database is on the site's server under the name {name}")
    except BaseException:
        with finishing():
            _drop_unfinished(databases, unfinished)
        raise
    for one in left_out:
        warn(f"left out of {name}: {one}")
    return left_out


def _unfinished(copy: str) -> str:
    """The name of the database that is being loaded from a copy."""
    return HALF_LOADED + copy.replace("-", "_")


def _drop_unfinished(databases: SiteDatabases, name: str) -> None:
    """Drop a database whose load failed; what made it fail is what the operator must read."""
    try:
        databases.drop(name)
    except RecoveryError as error:
        warn(
            f"the half-loaded database {name} could not be dropped; a restore does once its copy is gone: {error.problem}"
        )


@action
def sweep_unfinished_databases() -> None:
    """Drop databases that killed runs left half loaded on the site's server. Idempotent."""
    drop_unfinished_databases()


def drop_unfinished_databases() -> None:
    """Drop the half-loaded databases on the site's server whose copies are gone."""
    databases = SiteDatabases(site().admin_address())
    owned = {_unfinished(copy) for copy in site().copies.names()}
    for name in databases.names():
        if name.startswith(_unfinished("copy-")) and name not in owned:
            databases.drop(name)
            note(f"dropped the half-loaded database {name}")
