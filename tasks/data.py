"""Is the data whole? The steps that look at a database and say what they saw."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime

from checks.as_recorded import Source, asked_of_nobody, with_what_is_known
from checks.clickview import clickview_suite
from checks.expectation import without_repeats
from checks.restored_data import freshness, restored_data_suite
from recovery.adapters.expectations.report import render_html
from recovery.adapters.postgres.databases import SiteDatabases
from recovery.adapters.postgres.lowered import GUEST, as_reader
from recovery.catalog import Catalog
from recovery.errors import RecoveryError
from recovery.expectation import Expectation
from recovery.facts import CheckReport, CheckResult, CheckStatus, DatabaseAddress, RecordedFacts
from recovery.journal import current_journal, plain
from recovery.site import site
from tasks.artifacts import markdown_cell
from tasks.site_rules import read_site_rules
from tasks.step import action, note, probe, run_together, verify

_REPORT = "checks.html"
_RAW = "checks.json"
_LIVE_SECONDS = 30.0  # a live database that is slower does not hold the restore up


@action
def start_checker() -> None:
    """Start the process that will check the data: it takes seconds to get ready.

    Idempotent: one that runs is left running.
    """
    site().data_checks.warm_up()


@probe
def read_catalog(address: DatabaseAddress) -> Catalog:
    """Read which tables, keys and constraints the database has."""
    return site().inspection.read_catalog(address)


@verify
def check_data(
    address: DatabaseAddress, source: Source, *, target: datetime | None, copy: bool = True, live: bool = False
) -> CheckReport:
    """Check tables, rows, keys, indexes and ClickView's own rules, and leave a report beside the journal.

    `source`: what is known of the database that a copy was made from. `target`: the moment that the data must show.
    `copy`: a restored copy of ours; a live server is only read. `live`: the data is the application's
    own and must be of now. Failures are in the report, not raised.
    Raises: TargetUnreachable, SettingsInvalid.
    """
    with _reader(address, copy=copy) as reader:
        catalog = site().inspection.read_catalog(reader)
        suite = _suite(catalog, source, target=target, live=live)
        looked = _look_at_copy(address, reader, suite) if copy else _look_at_live(reader, suite)
    if source.same_line:
        looked = _with_what_live_breaks(looked, suite, source.recorded)
    report: CheckReport = replace(looked, about=_about(reader, catalog, source.recorded, target))
    leave_report(report)
    return report


def not_checked_report(address: DatabaseAddress, why: str) -> CheckReport:
    """The report when nobody could look at all, with the reason."""
    nobody = CheckResult("the data is whole", "physical", CheckStatus.NOT_CHECKED, "", why)
    return CheckReport(address.name, datetime.now(UTC), 0.0, (nobody,))


def no_database_report(address: DatabaseAddress, name: str) -> CheckReport:
    """The report when the server does not have the database, with those that it has."""
    there = ", ".join(SiteDatabases(address).names())
    gone = CheckResult(
        "the database is there", "physical", CheckStatus.FAILED, name, f"there is no database {name}; there is {there}"
    )
    return CheckReport(name, datetime.now(UTC), 0.0, (gone,))


@action
def stop_checker() -> None:
    """End the process that checks the data. Idempotent: it may have ended already."""
    site().data_checks.close()


@contextmanager
def _reader(address: DatabaseAddress, *, copy: bool) -> Iterator[DatabaseAddress]:
    """How the rows are looked at: in a copy, which lets everybody in, not as the superuser who restored it."""
    if not copy:
        yield address
        return
    wanted = site().settings.database.reader_user
    with as_reader(address, wanted) as reader:
        if reader.user == GUEST:
            note(f"the copy has no role {wanted} that reads all rows and may do no more: one was made for the checks")
        yield reader


def _look_at_copy(address: DatabaseAddress, reader: DatabaseAddress, suite: tuple[Expectation, ...]) -> CheckReport:
    def files() -> tuple[CheckResult, ...]:
        superuser = address.user != reader.user  # who is none is the reader, too
        return site().inspection.check_files(address, superuser=superuser)

    return site().data_checks.run(reader, suite, files=files)


def _look_at_live(address: DatabaseAddress, suite: tuple[Expectation, ...]) -> CheckReport:
    looked, physical = run_together(
        lambda: site().data_checks.run(address, suite),
        lambda: site().inspection.check_files(address, superuser=False),
    )
    report: CheckReport = replace(looked, results=(*physical, *looked.results))
    return report


def _with_what_live_breaks(
    report: CheckReport, suite: tuple[Expectation, ...], recorded: RecordedFacts | None
) -> CheckReport:
    """What no record tells of, and the live database breaks, too, was broken at the source already.

    Only what failed is asked, so a sound copy costs the live site nothing.
    """
    failed = {one.name for one in report.failures}
    doubtful = tuple(one for one in suite if one.name in failed and asked_of_nobody(one, recorded))
    if not doubtful:
        return report
    try:
        live = site().data_checks.run(site().reader_address(), doubtful, seconds=_LIVE_SECONDS)
    except RecoveryError as error:
        note(f"the live database could not be asked about what failed: {error.problem.splitlines()[0]}")
        return report
    there = {one.name: one for one in live.failures}
    return replace(report, results=tuple(_known_from_live(one, there.get(one.name)) for one in report.results))


def _known_from_live(one: CheckResult, there: CheckResult | None) -> CheckResult:
    """More rows than there, or rows that cannot be read at all, are not explained by it."""
    if one.status is not CheckStatus.FAILED or there is None or not 0 < one.rows <= there.rows:
        return one
    return replace(one, status=CheckStatus.WARNING, found=f"{one.found}; so it is in the live database: {there.found}")


def leave_report(report: CheckReport) -> None:
    """Keep the report beside the journal: one page for people, the same as JSON."""
    note(summary(report))
    if journal := current_journal():
        journal.leave(_REPORT, render_html(report))
        journal.leave(_RAW, json.dumps({"passed": report.passed, **asdict(report)}, default=plain, indent=1))


def summary(report: CheckReport) -> str:
    """The outcome in one line."""
    counts = Counter(result.status for result in report.results)
    parts = [f"{counts[CheckStatus.PASSED]} passed", f"{counts[CheckStatus.FAILED]} failed"]
    if counts[CheckStatus.WARNING]:
        parts.append(f"{counts[CheckStatus.WARNING]} warnings")
    if counts[CheckStatus.NOT_CHECKED]:
        parts.append(f"{counts[CheckStatus.NOT_CHECKED]} not checked")
    return f"data checks of {report.database}: {', '.join(parts)} in {report.seconds:.1f} s"


def report_markdown(report: CheckReport) -> str:
    """The report as an artifact of the UI."""
    lines = [f"## {'Passed' if report.passed else 'FAILED'}: {markdown_cell(summary(report))}", ""]
    lines += [f"- **{label}:** {markdown_cell(text)}" for label, text in report.about]
    for title, results in (
        ("Failed", report.failures),
        ("Warnings", report.warnings),
        ("Not checked", report.not_checked),
    ):
        if results:
            lines += ["", f"### {title}", "", "| check | expected | found |", "|---|---|---|", *map(_row, results)]
    suites = Counter(result.suite for result in report.results if result.passed)
    lines += ["", "### Passed", "", "| suite | checks |", "|---|---|"]
    lines += [f"| {suite} | {number} |" for suite, number in suites.items()]
    return "\n".join(lines)


def _row(result: CheckResult) -> str:
    found = "; ".join([result.found, *result.examples[:3]])
    return "| " + " | ".join(map(markdown_cell, (result.name, result.expected, found))) + " |"


def _suite(catalog: Catalog, source: Source, *, target: datetime | None, live: bool) -> tuple[Expectation, ...]:
    recorded = source.recorded
    fresh = freshness(
        target,
        recorded.at if recorded else None,
        now=datetime.now(UTC),
        oldest=site().settings.objectives.rpo,
        live=live,
    )
    rules = [*clickview_suite(catalog), *restored_data_suite(catalog, source, fresh)]
    return without_repeats([*with_what_is_known(rules, source), *read_site_rules()])


def _about(
    address: DatabaseAddress, catalog: Catalog, recorded: RecordedFacts | None, target: datetime | None
) -> tuple[tuple[str, str], ...]:
    version = f"PostgreSQL {catalog.server_version // 10000}.{catalog.server_version % 10000}"
    about = [("Database", f"{address.name} on {address.host}:{address.port} ({version})"), ("Role", address.user)]
    if target is not None:
        about.append(("Recovery target", f"{target.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"))
    if recorded is not None:
        about.append(("Compared with facts of", f"{recorded.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"))
    return tuple(about)
