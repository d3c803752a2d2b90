"""A clean database shows nothing; rows are counted, secrets stay secret, and the report is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checks.as_recorded import Source
from recovery.facts import DatabaseAddress
from recovery.journal import open_journal, writing_to
from tasks.data import check_data, report_markdown
from tests.fix_data import damage, failures, recorded

pytestmark = pytest.mark.usefixtures("checker")


def test_a_clean_database_shows_nothing(database: DatabaseAddress) -> None:
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now()")
    report = check_data(database, Source(recorded(database), exact=True), target=datetime.now(UTC))
    assert failures(report) == {}
    assert report.passed
    assert report.not_checked == ()
    assert len(report.results) > 200


def test_missing_rows_are_counted(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, "DELETE FROM api_request_logs WHERE id = (SELECT id FROM api_request_logs LIMIT 1)")
    assert "api_request_logs has its rows" in failures(check_data(database, Source(facts, exact=True), target=None))
    assert "api_request_logs has its rows" not in failures(check_data(database, Source(facts), target=None))
    damage(database, "TRUNCATE api_request_logs", "TRUNCATE audit_logs")
    report = check_data(database, Source(facts), target=None)
    assert failures(report) == {}
    emptied = {one.name: one.found for one in report.warnings}
    rows = next(one.rows for one in facts.counts if one.table.name == "audit_logs")
    assert "api_request_logs has its rows" in emptied
    assert emptied["audit_logs has its rows"] == f"0 rows; {rows:,} when the backup was taken: deleted since, or lost"


def test_rows_too_many_are_counted(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, "INSERT INTO organizations (name, slug) VALUES ('late', 'late')")
    assert "organizations has its rows" in failures(check_data(database, Source(facts, exact=True), target=None))


def test_a_recorded_table_that_is_gone(database: DatabaseAddress) -> None:
    damage(database, "CREATE TABLE extra AS SELECT 1 AS one")
    facts = recorded(database)
    damage(database, "DROP TABLE extra")
    gone = failures(check_data(database, Source(facts, exact=True), target=None))
    assert gone["no table is missing"].examples == ("extra is missing",)
    report = check_data(database, Source(facts), target=None)
    assert failures(report) == {}
    (warned,) = [one for one in report.warnings if one.suite == "as recorded"]
    assert "changed since the record of" in warned.found


def test_secrets_do_not_become_examples(database: DatabaseAddress) -> None:
    damage(
        database,
        "ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_session_token_key",
        "UPDATE user_sessions SET session_token = 'a-very-secret-token'",
    )
    report = check_data(database, Source(), target=None)
    assert "user_sessions: session_token is unique" in failures(report)
    assert "a-very-secret-token" not in str(report)


def test_names_and_conditions_that_look_like_templates(database: DatabaseAddress) -> None:
    damage(
        database,
        'CREATE TABLE "Odd {batch} %s :x" ("An id" int PRIMARY KEY, "b%" text NOT NULL'
        ' CHECK ("b%" <> \'{y} :name %(z)s \'\'\' AND "b%" !~ \'^[[:digit:]]{3}$\'), UNIQUE ("b%", "An id"))',
        "INSERT INTO \"Odd {batch} %s :x\" VALUES (1, 'fine'), (2, '{}')",
    )
    facts = recorded(database)
    assert failures(check_data(database, Source(facts, exact=True), target=None)) == {}
    damage(
        database,
        'ALTER TABLE "Odd {batch} %s :x" DROP CONSTRAINT "Odd {batch} %s :x_b%_check"',
        'UPDATE "Odd {batch} %s :x" SET "b%" = \'123\'',
        'ALTER TABLE "Odd {batch} %s :x" ADD CONSTRAINT digits'
        " CHECK (\"b%\" !~ '^[[:digit:]]{3}$' AND \"b%\" <> ':name') NOT VALID",
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'digits'",
    )
    broken = failures(check_data(database, Source(), target=None))
    assert set(broken) == {'"Odd {batch} %s :x": digits holds'}


def test_the_report_is_left_beside_the_journal(database: DatabaseAddress, tmp_path: Path) -> None:
    damage(database, "UPDATE widgets SET dashboard_id = gen_random_uuid()")
    with writing_to(open_journal(tmp_path, "checks")) as journal:
        report = check_data(database, Source(), target=datetime.now(UTC) + timedelta(days=1))
    page = (journal.folder / "checks.html").read_text()
    assert "widgets.dashboard_id points at a row of dashboards" in page
    assert "http" not in page.replace("http-equiv", "")
    assert '"passed": false' in (journal.folder / "checks.json").read_text()
    assert "| widgets.dashboard_id points at a row of dashboards |" in report_markdown(report)
