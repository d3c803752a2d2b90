"""Make a site ready to be protected. Each part says what it would change before it changes anything."""

from __future__ import annotations

from recovery.adapters.postgres import preparation
from recovery.facts import Change
from recovery.site import site
from tasks.step import action, probe, verify


@probe
def read_engine_version() -> tuple[int, int]:
    """Read the version of the backup engine."""
    return site().backups.version()


@probe
def find_missing_roles() -> list[Change]:
    """See whether the roles of the checks and of the backups are there and have their rights."""
    address = site().admin_address()
    changes = [change for role in _roles() for change in preparation.role_changes(address, role)]
    return changes + preparation.right_changes(address, site().settings.database.backup_user)


@action
def create_roles() -> None:
    """Create the two roles with the least rights that serve. Idempotent."""
    address, database = site().admin_address(), site().settings.database
    for role in _roles():
        preparation.apply_role(address, role)
    preparation.apply_rights(address, database.backup_user)


@probe
def find_missing_heartbeat() -> list[Change]:
    """See whether the heartbeat table is in the application's database."""
    return preparation.heartbeat_changes(site().admin_address(site().settings.database.name))


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
def find_differing_settings() -> list[Change]:
    """See which server settings differ from what archiving needs."""
    return list(preparation.setting_changes(site().admin_address(), site().backups.server_settings()))


@action
def change_server_settings() -> None:
    """Set what archiving needs; what needs a restart waits for one. Idempotent."""
    preparation.apply_settings(site().admin_address(), site().backups.server_settings())


@probe
def find_stale_configuration() -> list[Change]:
    """See whether pgBackRest's generated files are what the settings say today."""
    if site().backups.configuration_is_current():
        return []
    return [Change("write the configuration of the backup engine", "it is generated from recovery.toml and differs")]


@action
def write_backup_configuration() -> None:
    """Generate pgBackRest's configuration. Idempotent."""
    site().backups.write_configuration()


@action
def restart_database() -> None:
    """Restart the primary, so that settings which need it take effect."""
    site().primary_service.restart()


@action
def create_stanza() -> None:
    """Make the stanza in every repository. Idempotent."""
    site().backups.create_stanza()


@verify
def verify_archiving() -> None:
    """Prove that a WAL segment reaches every repository."""
    site().backups.check_archiving()


def _roles() -> tuple[preparation.Role, preparation.Role]:
    database, reveal = site().settings.database, site().secrets.reveal
    return (
        preparation.reader_role(database.reader_user, reveal(database.reader_password)),
        preparation.backup_role(database.backup_user, reveal(database.backup_password)),
    )
