"""What a PostgreSQL database says of itself, and whether its files are whole."""

from __future__ import annotations

from recovery.adapters.postgres.amcheck import check_copy, check_live, not_looked
from recovery.adapters.postgres.catalog import read_catalog
from recovery.adapters.process import Host
from recovery.catalog import Catalog
from recovery.errors import RecoveryError
from recovery.facts import CheckResult, DatabaseAddress
from recovery.settings import Settings


class PostgresInspection:
    """Reads catalogs and looks for damage; never changes a live server."""

    def __init__(self, settings: Settings, host: Host) -> None:
        self._settings = settings
        self._host = host

    def read_catalog(self, address: DatabaseAddress) -> Catalog:
        """Tables, keys and constraints. Raises: TargetUnreachable, SettingsInvalid."""
        return read_catalog(address)

    def check_files(self, address: DatabaseAddress, *, superuser: bool) -> tuple[CheckResult, ...]:
        """Look for damaged tables and indexes: all of a copy as its superuser, else the indexes that a reader may see.

        Whatever keeps us from looking is a result that says so.
        """
        try:
            return tuple(self._look(address, superuser=superuser))
        except RecoveryError as error:
            return (not_looked(error.problem),)

    def _look(self, address: DatabaseAddress, *, superuser: bool) -> list[CheckResult]:
        seconds = self._settings.checks.timeout_seconds
        if not superuser:
            return check_live(address, seconds=seconds)
        program = self._settings.database.bin_dir / "pg_amcheck"
        jobs = self._settings.checks.parallel
        return check_copy(self._host, program, address, jobs=jobs, seconds=seconds)
