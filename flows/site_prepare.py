"""Make a site ready to be protected."""

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
from recovery.facts import Change, Observation, ServerFacts
from recovery.gate import require
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
    require_ours(server, apply, replace_archive_command=replace_archive_command, upgrade_stanza=upgrade_stanza)
    found = changes_of(apply) + stanza_changes(read_archived_clusters(), server)
    waits = any(change.needs_restart for change in found)
    if apply and waits and restart:
        restart_database()
        waits = False
    if apply and not waits:
        make_repositories(server, upgrade_stanza)
        if first_backup:
            backup(kind="full")
    return Preparation(tuple(observations), tuple(found), apply, waits)


def require_ours(server: ServerFacts, apply: bool, *, replace_archive_command: bool, upgrade_stanza: bool) -> None:
    """Refuse what would take something away from somebody else; without `apply` it is only said."""
    refusals = (
        (refuse_settings(replace_archive_command=replace_archive_command), _NOT_OURS),
        (stanza_refusal(read_archived_clusters(), server, upgrade=upgrade_stanza), _OTHER_CLUSTER),
    )
    for refusal, next_step in refusals:
        if apply:
            require(refusal, next_step=next_step)
        elif refusal:
            warn(f"{refusal}: {next_step}")


def changes_of(apply: bool) -> list[Change]:
    """Find part by part what is not as it should be, and with `apply` mend it at once."""
    parts = (
        (find_missing_roles, create_roles),
        (find_missing_heartbeat, create_heartbeat),
        (find_missing_index_check, install_index_check),
        (find_stale_configuration, write_backup_configuration),
        (find_differing_settings, change_server_settings),
        (find_closed_entrances, open_entrances),
    )
    found: list[Change] = []
    for find, mend in parts:
        changes = find()
        found += changes
        for change in changes:
            note(f"{'doing' if apply else 'would'}: {change.what} ({change.why})")
        if changes and apply:
            mend()
    return found


def make_repositories(server: ServerFacts, upgrade: bool) -> None:
    """Make the stanza in every repository, and prove that WAL arrives."""
    clusters = read_archived_clusters()  # again: the configuration may be new
    require(stanza_refusal(clusters, server, upgrade=upgrade), next_step=_OTHER_CLUSTER)
    for change in stanza_changes(clusters, server):
        note(f"doing: {change.what} ({change.why})")
    if stanza_changes(clusters, server):
        take_over_stanza()
    create_stanza()
    verify_archiving()
