"""A warm checker, and what the tests of the data checks do to a database and read of the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.adapters.postgres.record import snapshot
from recovery.facts import CheckReport, CheckResult, DatabaseAddress, RecordedFacts
from recovery.site import site
from tasks.data import start_checker, stop_checker
from tasks.records import facts_of

if TYPE_CHECKING:
    from tests.fix_postgres import Cluster

_SETTINGS = """
[database]
bin_dir = "{bin_dir}"
command_prefix = {prefix}
[backup]
encryption_key = "key-of-the-tests"
[backup.primary]
bucket = "tests"
[site]
state_dir = "{state_dir}"
[checks]
timeout_seconds = 600
"""


@pytest.fixture(scope="module")
def checker(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A site whose checker is warm."""
    folder = tmp_path_factory.mktemp("site")
    file = folder / "recovery.toml"
    prefix = str(list(cluster.host.prefix)).replace("'", '"')
    file.write_text(_SETTINGS.format(bin_dir=cluster.bin_dir, prefix=prefix, state_dir=folder))
    before = os.environ.get("RECOVERY_CONFIG")
    os.environ["RECOVERY_CONFIG"] = str(file)
    site.cache_clear()
    start_checker()
    yield
    stop_checker()
    site.cache_clear()
    os.environ.pop("RECOVERY_CONFIG")
    if before is not None:
        os.environ["RECOVERY_CONFIG"] = before


def damage(address: DatabaseAddress, *statements: str) -> None:
    """Do something to a database that its rules forbid."""
    with connect(address) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET allow_system_table_mods = on")
        for statement in statements:
            connection.execute(statement.encode())


def recorded(address: DatabaseAddress) -> RecordedFacts:
    """What a backup would have recorded of this database."""
    with snapshot(address) as source:
        return facts_of(source)


def failures(report: CheckReport) -> dict[str, CheckResult]:
    return {result.name: result for result in report.failures}
