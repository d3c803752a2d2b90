"""Check the data of a database on the site's server."""

from checks.as_recorded import Source
from checks.run_names import data_check_name
from recovery.facts import CheckReport
from recovery.site import site
from tasks.data import check_data, start_checker, stop_checker
from tasks.step import runbook


@runbook("Data check", data_check_name)
def data_check(database: str | None = None) -> CheckReport:
    """Check the data of a database on the site's server; nothing is written there.

    Args:
        database: A database on the site's server, e.g. clickview_restored; empty means the live one.
    """
    live = database is None or database == site().settings.database.name
    start_checker()
    try:
        report = check_data(site().reader_address(database), Source(), target=None, copy=False, live=live)
    finally:
        stop_checker()
    return report
