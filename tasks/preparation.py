"""Make a site ready to be protected. Each part says what it would change before it changes anything."""

from __future__ import annotations

import os
from collections.abc import Sequence

from checks.readiness import roles_refusal, user_refusal
from checks.server_settings import ALSO_READ, differing_settings, setting_changes, settings_refusal
from recovery.adapters.postgres import preparation, server_settings, standing_roles
from recovery.adapters.postgres.connection import EVERYWHERE
from recovery.adapters.postgres.server import seen_through
from recovery.errors import RecoveryError
from recovery.facts import ArchivedCluster, Change
from recovery.server_setting import ServerSetting
from recovery.site import site
from tasks.step import action, probe, verify


@probe
def refuse_user() -> str | None:
    """See whether what this user's programs write can be used by the server."""
    return user_refusal(os.geteuid(), site().settings)


@probe
def refuse_roles() -> str | None:
    """See whether the two roles are ours to make, or to mend."""
    database = site().settings.database
    names = (database.reader_user, database.backup_user)
    powers = {name: standing_roles.read_powers(site().admin_address(), name) for name in names}
    return roles_refusal(powers, site().settings)


@probe
def read_engine_version() -> tuple[int, int]:
    """Read the version of the backup engine."""
    return site().backups.version()


@probe
def find_missing_roles() -> list[Change]:
    """See whether the roles of the checks and of the backups are there and have their rights."""
    address = site().admin_address()
    changes = [change for role in roles_of_site() for change in preparation.role_changes(address, role)]
    changes += preparation.connect_changes(address, roles_of_site(), _databases())
    return changes + preparation.right_changes(address, site().settings.database.backup_user)


@action
def create_roles() -> None:
    """Create the two roles with the least rights that serve. Idempotent."""
    address, database = site().admin_address(), site().settings.database
    for role in roles_of_site():
        preparation.apply_role(address, role)
    preparation.apply_connect(address, roles_of_site(), _databases())
    preparation.apply_rights(address, database.backup_user)


@probe
def find_missing_heartbeat() -> list[Change]:
    """See whether the heartbeat table is in the application's database."""
    database = site().settings.database
    return preparation.heartbeat_changes(site().admin_address(database.name), database.backup_user)


@action
def create_heartbeat() -> None:
    """Create the heartbeat table and its function. Idempotent."""
    database = site().settings.database
    preparation.apply_heartbeat(site().admin_address(database.name), database.backup_user, database.reader_user)


@probe
def find_missing_index_check() -> list[Change]:
    """See whether the data checks may look into indexes."""
    database = site().settings.database
    return preparation.index_check_changes(site().admin_address(database.name), database.reader_user)


@action
def install_index_check() -> None:
    """Install amcheck for the data checks. Idempotent."""
    database = site().settings.database
    preparation.apply_index_check(site().admin_address(database.name), database.reader_user)


@probe
def read_archive_settings() -> dict[str, ServerSetting]:
    """Read the server's settings that archiving depends on, and where they come from."""
    wanted = site().backups.server_settings()
    return server_settings.read_settings(site().admin_address(), (*wanted, *ALSO_READ))


@probe
def find_differing_settings() -> list[Change]:
    """See which server settings differ from what archiving needs."""
    backups = site().backups
    return setting_changes(read_archive_settings(), backups.server_settings(), backups.is_own_archive_command)


@probe
def refuse_settings(*, replace_archive_command: bool) -> str | None:
    """See whether the server's settings are ours to change: nobody else archives its WAL, nothing overrides them."""
    backups, found = site().backups, read_archive_settings()
    ours = backups.is_own_archive_command
    return settings_refusal(found, backups.server_settings(), ours, replace_archive_command=replace_archive_command)


@action
def change_server_settings() -> None:
    """Set what archiving needs; what needs a restart waits for one. Idempotent."""
    wanted = differing_settings(read_archive_settings(), site().backups.server_settings())
    server_settings.apply_settings(site().admin_address(), wanted)


@probe
def find_stale_configuration() -> list[Change]:
    """See whether pgBackRest's generated files are what the settings say today."""
    try:
        through: tuple[str, ...] = (seen_through(site().admin_address()),)
    except RecoveryError:  # with the primary dead either may be right
        through = EVERYWHERE
    if any(site().backups.configuration_is_current(name) for name in through):
        return []
    return [Change("write the configuration of the backup engine", "it is generated from recovery.toml and differs")]


@action
def write_backup_configuration() -> None:
    """Generate pgBackRest's configuration. Idempotent."""
    site().backups.write_configuration(seen_through(site().admin_address()))


@action
def restart_database() -> None:
    """Restart the primary, so that settings which need it take effect."""
    site().service("database").restart()


@probe
def read_archived_clusters() -> list[ArchivedCluster]:
    """Read whose backups each repository takes now."""
    numbers = range(1, len(site().settings.backup.repos) + 1)
    found = (site().backups.read_cluster(number) for number in numbers)
    return [one for one in found if one]


@action
def take_over_stanza(clusters: Sequence[ArchivedCluster]) -> None:
    """Have the repositories take this cluster's backups in the place of the one before.

    Point of no return: they do not go back to the old cluster.
    """
    without = sorted(set(range(1, len(site().settings.backup.repos) + 1)) - {one.repo for one in clusters})
    through = seen_through(site().admin_address())
    for repo in without:  # an upgrade fails at a repository that has no stanza to upgrade, and after it did the others
        site().backups.create_stanza_in(repo, through)
    site().backups.upgrade_stanza()


@action
def forget_pushed_wal() -> None:
    """Have WAL pushed anew: what was noted of another cluster, or elsewhere, says nothing of this one's. Idempotent."""
    site().backups.forget_pushed_wal()


@action
def create_stanza() -> None:
    """Make the stanza in every repository. Idempotent."""
    site().backups.create_stanza()


@verify
def verify_archiving() -> None:
    """Prove that a WAL segment reaches every repository."""
    site().backups.check_archiving()


def _databases() -> tuple[str, ...]:
    """Where the two roles work: the application's database, and the one for what concerns the whole server."""
    return tuple(dict.fromkeys((site().settings.database.name, seen_through(site().admin_address()))))


def roles_of_site() -> tuple[preparation.Role, preparation.Role]:
    """The reader and the backup role, with their passwords."""
    database, reveal = site().settings.database, site().secrets.reveal
    return (
        preparation.reader_role(database.reader_user, reveal(database.reader_password)),
        preparation.backup_role(database.backup_user, reveal(database.backup_password)),
    )
