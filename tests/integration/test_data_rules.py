"""ClickView's own rules on a real database: none cries wolf, and what does not apply is said and no failure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checks.as_recorded import Source
from checks.clickview import RULES, clickview_suite
from checks.clickview_tables import KEYS, RELATIONS
from recovery.adapters.postgres.connection import connect
from recovery.facts import CheckReport, DatabaseAddress
from recovery.site import site
from tasks.data import check_data, read_catalog
from tests.fix_data import damage, failures

pytestmark = pytest.mark.usefixtures("checker")

_DROP_KEYS = """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint
    WHERE contype = ANY(%s::text[]::"char"[]) AND connamespace = 'public'::regnamespace"""


def looked(database: DatabaseAddress) -> CheckReport:
    """What ClickView's rules alone say."""
    return site().data_checks.run(database, clickview_suite(read_catalog(database)))


def test_without_any_key_every_rule_is_looked_at(database: DatabaseAddress) -> None:
    with connect(database) as connection:
        for kinds in (["f"], ["u", "p"]):
            for (statement,) in connection.execute(_DROP_KEYS.replace("%s D", "%%s D").replace("%I", "%%I"), [kinds]):
                connection.execute(statement)
    report = looked(database)
    assert failures(report) == {}
    assert report.not_checked == ()
    assert len(report.results) == len(RULES) + 1 + len(RELATIONS) + len(KEYS)


def test_what_is_odd_but_right_is_no_alarm(database: DatabaseAddress) -> None:
    damage(
        database,
        "UPDATE users SET is_active = NULL, deleted_at = 'infinity', created_at = NULL",
        "UPDATE users SET email = 'erased', deleted_at = now() - interval '1 day' WHERE username = 'user5'",
        "UPDATE user_sessions SET expires_at = 'infinity', created_at = '-infinity'",
        "UPDATE user_sessions SET is_active = false WHERE user_id = (SELECT id FROM users WHERE username = 'user5')",
        "UPDATE cached_data SET created_at = 'infinity', expires_at = '-infinity'",
        "UPDATE widgets SET created_at = 'infinity'",
        "UPDATE dashboards SET updated_at = NULL",
        "UPDATE workspaces SET organization_id = NULL, created_by = NULL",
        # Without a time zone, in a zone that is hours ahead, and of an hour that came twice.
        "UPDATE tasks SET created_at = now() + interval '14 hours', updated_at = now()",
        "UPDATE report_schedules SET updated_at = created_at - interval '1 hour'",
    )
    assert failures(looked(database)) == {}


def test_a_missing_table_or_column_is_said_and_no_failure(database: DatabaseAddress) -> None:
    damage(
        database,
        "UPDATE clickview_recovery.heartbeat SET at = now()",
        "DROP TABLE filter_presets",
        "ALTER TABLE users DROP COLUMN deleted_at",
        "ALTER TABLE workspaces ALTER encrypted_api_key TYPE bytea USING encrypted_api_key::bytea",
    )
    report = check_data(database, Source(), target=datetime.now(UTC))
    assert failures(report) == {}
    said = {result.name: result.found for result in report.not_checked}["rules that were left out"]
    assert said == (
        "workspaces.encrypted_api_key is of another type: every workspace has its ClickUp API key;"
        " no column users.deleted_at: every user has a mail address, no session of a user who was removed is still open;"
        " no table filter_presets: filter_presets: no row was updated before it was created,"
        " every filter preset belongs to a workspace, filter_presets: id is unique"
    )


def test_a_database_of_another_application_is_not_judged_by_clickviews_rules(database: DatabaseAddress) -> None:
    damage(
        database,
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
        "CREATE TABLE public.invoices (id int PRIMARY KEY, created_at timestamptz)",
        "UPDATE clickview_recovery.heartbeat SET at = now()",
    )
    report = check_data(database, Source(), target=datetime.now(UTC))
    assert failures(report) == {}
    assert report.passed
    assert "the database has none of ClickView's tables" in [result.found for result in report.not_checked]
