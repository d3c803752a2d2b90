"""Make a site ready to be protected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from checks.readiness import (
    changes_refusal,
    preparation_refusal,
    server_observations,
    stanza_changes,
    stanza_refusal,
)
from checks.run_names import site_prepare_name
from flows.backup import backup
from recovery.facts import ArchivedCluster, Change, Observation, ServerFacts
from recovery.gate import require
from recovery.lease import hold_lease
from recovery.site import site
from tasks.backups import read_server
from tasks.copies import measure_free_space
from tasks.entrances import find_closed_entrances, open_entrances
from tasks.preparation import (
    change_server_settings,
    create_heartbeat,
    create_roles,
    create_stanza,
    find_differing_settings,
    find_missing_heartbeat,
    find_missing_index_check,
    find_missing_roles,
    find_stale_configuration,
    forget_pushed_wal,
    install_index_check,
    read_archived_clusters,
    read_engine_version,
    refuse_roles,
    refuse_settings,
    refuse_user,
    restart_database,
    take_over_stanza,
    verify_archiving,
    write_backup_configuration,
)
from tasks.step import note, runbook, warn

_NOT_OURS = (
    "add --replace-archive-command when our archive shall take its place;"
    " other settings are changed where the server is configured or started"
)
_OTHER_CLUSTER = (
    "when this server has taken that one's place, read what it means (docs/site-prepare.md) and add --upgrade-stanza;"
    " otherwise correct bucket, path or stanza in [backup]"
)


@dataclass(frozen=True)
class Preparation:
    """What was found and what became of it."""

    observations: tuple[Observation, ...]
    changes: tuple[Change, ...]
    applied: bool
    waits_for_restart: bool


@runbook("Prepare the site", site_prepare_name)
def site_prepare(
    apply: bool = False,
    restart: bool = False,
    first_backup: bool = False,
    replace_archive_command: bool = False,
    upgrade_stanza: bool = False,
) -> Preparation:
    """Make a site ready to be protected: roles, heartbeat, WAL archiving, repositories.

    Without `apply` it only says what it would change and why. It restarts nothing unasked.

    Args:
        apply: Make the changes. Off: only show them.
        restart: Also restart the database when a changed setting needs it.
        first_backup: Take the first full backup into every repository when all is ready.
        replace_archive_command: Archive with our command also where somebody else's does it today.
        upgrade_stanza: Take this cluster's backups into repositories that hold another cluster's.
    """
    options = {
        "restart": restart,
        "first_backup": first_backup,
        "replace_archive_command": replace_archive_command,
        "upgrade_stanza": upgrade_stanza,
    }
    require(
        changes_refusal(apply, options),
        next_step="add --apply, or leave the other out to see what would be changed",
    )
    require(
        refuse_user(), next_step='write command_prefix = ["runuser", "-u", "postgres", "--"], or run it as postgres'
    )
    require(refuse_roles(), next_step="name a role of its own in [database]; site prepare makes it")
    server = read_server()
    engine = read_engine_version()
    refusal = preparation_refusal(server, engine, site().settings)
    require(refusal, next_step="correct recovery.toml or the server, then run this again")
    observations = server_observations(server, engine, measure_free_space())
    refuse(refuse_settings(replace_archive_command=replace_archive_command), _NOT_OURS, apply)
    if not apply:
        found, _ = changes_of(server, apply, upgrade_stanza)
        return Preparation(tuple(observations), tuple(found), apply, any(one.needs_restart for one in found))
    with hold_lease(site().settings.site.state_dir, "prepare"):
        found, clusters = changes_of(server, apply, upgrade_stanza)
        waits = any(one.needs_restart for one in found)
        if waits and restart:
            restart_database()
            waits = False
        if not waits:
            make_repositories(clusters, server)
            if first_backup:
                backup(kind="full")
    return Preparation(tuple(observations), tuple(found), apply, waits)


def refuse(refusal: str | None, next_step: str, apply: bool) -> None:
    """Refuse what would take something away from somebody else; without `apply` it is only said."""
    if apply:
        require(refusal, next_step=next_step)
    elif refusal:
        warn(f"{refusal}: {next_step}")


def changes_of(server: ServerFacts, apply: bool, upgrade: bool) -> tuple[list[Change], list[ArchivedCluster]]:
    """Find what is not as it should be, and with `apply` mend it at once; also whose the repositories are."""
    # First our own files: with those of before, other repositories (or none, with a lost secret) would be asked.
    found = mended([(find_stale_configuration, renew_configuration)], apply)
    clusters = [] if found and not apply else read_archived_clusters()
    refuse(stanza_refusal(clusters, server, upgrade=upgrade), _OTHER_CLUSTER, apply)
    found += mended(
        [
            (find_missing_roles, create_roles),
            (find_missing_heartbeat, create_heartbeat),
            (find_missing_index_check, install_index_check),
            (find_differing_settings, change_server_settings),
            (find_closed_entrances, open_entrances),
        ],
        apply,
    )
    return found + stanza_changes(clusters, server), clusters


def renew_configuration() -> None:
    """Archive where the settings say now; what was noted while they said something else is forgotten first."""
    forget_pushed_wal()
    write_backup_configuration()


def mended(parts: Sequence[tuple[Callable[[], list[Change]], Callable[[], None]]], apply: bool) -> list[Change]:
    """Find part by part what is not as it should be, and with `apply` mend it at once."""
    found: list[Change] = []
    for find, mend in parts:
        changes = find()
        found += changes
        for change in changes:
            note(f"{'doing' if apply else 'would'}: {change.what} ({change.why})")
        if changes and apply:
            mend()
    return found


def make_repositories(clusters: list[ArchivedCluster], server: ServerFacts) -> None:
    """Make the stanza in every repository, and prove that WAL arrives."""
    changes = stanza_changes(clusters, server)
    if changes or len(clusters) < len(site().settings.backup.repos):
        forget_pushed_wal()
    if changes:
        for change in changes:
            note(f"doing: {change.what} ({change.why})")
        take_over_stanza(clusters)
    create_stanza()
    verify_archiving()
