"""Every kind of damage is seen by the data checks, and a clean database shows none."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.errors import CommandFailed, SettingsInvalid, TargetUnreachable
from recovery.facts import CheckReport, CheckResult, CheckStatus, DatabaseAddress, RecordedFacts, TableCount
from recovery.journal import open_journal, writing_to
from recovery.site import site
from tasks.data import check_data, read_catalog, report_markdown, start_checker, stop_checker
from tests.fix_postgres import BIN, PASSWORD, READER, Cluster
from tests.waiting import PATIENCE, until

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
timeout_seconds = 120
"""


@pytest.fixture(scope="module", autouse=True)
def prepared(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A site whose checker is warm."""
    folder = tmp_path_factory.mktemp("site")
    file = folder / "recovery.toml"
    prefix = str(list(cluster.host.prefix)).replace("'", '"')
    file.write_text(_SETTINGS.format(bin_dir=BIN, prefix=prefix, state_dir=folder))
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
    tables = read_catalog(address).tables
    with connect(address) as connection:
        counts = [
            TableCount(t.name, connection.execute(f"SELECT count(*) FROM {t.name.sql}".encode()).fetchone()[0])  # type: ignore[index]
            for t in tables
        ]
    return RecordedFacts(1, datetime.now(UTC), True, tuple(counts))


def failures(report: CheckReport) -> dict[str, CheckResult]:
    return {result.name: result for result in report.failures}


def test_a_clean_database_shows_nothing(database: DatabaseAddress) -> None:
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now()")
    report = check_data(database, recorded(database), exact=True, target=datetime.now(UTC))
    assert failures(report) == {}
    assert report.passed
    assert report.not_checked == ()
    assert len(report.results) > 90


# What is done to the database → the check that must say so.
_DAMAGE = {
    "orphan": (
        ["UPDATE widgets SET dashboard_id = gen_random_uuid() WHERE id IN (SELECT id FROM widgets LIMIT 3)"],
        "every widget belongs to a dashboard",
    ),
    "orphan without foreign key": (
        [
            "ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_user_id_fkey",
            "UPDATE user_sessions SET user_id = gen_random_uuid() WHERE id = (SELECT id FROM user_sessions LIMIT 1)",
        ],
        "no session outlives its user",
    ),
    "orphan that only the catalog knows": (
        ["UPDATE filter_presets SET created_by = gen_random_uuid()"],
        "filter_presets.created_by points at a row of users",
    ),
    "orphan hidden by row level security": (
        ["UPDATE audit_logs SET organization_id = gen_random_uuid() WHERE id = (SELECT id FROM audit_logs LIMIT 1)"],
        "every audit entry belongs to an organization",
    ),
    "repeated key": (
        ["ALTER TABLE users DROP CONSTRAINT users_email_key", "UPDATE users SET email = 'same@example.com'"],
        "users: email is unique",
    ),
    "repeated key of several columns": (
        [
            "ALTER TABLE cached_data DROP CONSTRAINT cached_data_workspace_id_cache_key_key",
            "UPDATE cached_data SET workspace_id = (SELECT id FROM workspaces LIMIT 1), cache_key = 'same'",
        ],
        "cached_data: workspace_id, cache_key is unique",
    ),
    "repeated key behind an index that says unique": (
        [
            "ALTER TABLE organizations DROP CONSTRAINT organizations_slug_key",
            "CREATE INDEX slugs ON organizations (slug)",
            "INSERT INTO organizations (name, slug) SELECT 'twin', slug FROM organizations LIMIT 1",
            "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'slugs'::regclass",
        ],
        "organizations: slug is unique",
    ),
    "repeated key of an expression": (
        [
            "CREATE INDEX users_lower ON users (lower(name)) WHERE role = 'owner'",
            "UPDATE users SET name = 'Same', role = 'owner'",
            "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'users_lower'::regclass",
        ],
        "users: users_lower is unique",
    ),
    "missing table": (["DROP TABLE filter_presets CASCADE"], "filter_presets is there with its columns"),
    "missing column": (["ALTER TABLE widgets DROP COLUMN title"], "widgets is there with its columns"),
    "invalid index": (
        ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'widgets_dashboard_id_idx'::regclass"],
        "all indexes are valid and ready",
    ),
    "unready index": (
        ["UPDATE pg_index SET indisready = false WHERE indexrelid = 'widgets_dashboard_id_idx'::regclass"],
        "all indexes are valid and ready",
    ),
    "other collation": (
        ["UPDATE pg_database SET datcollversion = '1.0' WHERE datname = current_database()"],
        "collation versions are those recorded",
    ),
    "null": (
        [
            "ALTER TABLE dashboards ALTER name DROP NOT NULL",
            "UPDATE dashboards SET name = NULL WHERE id = (SELECT id FROM dashboards LIMIT 1)",
            "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'dashboards'::regclass AND attname = 'name'",
        ],
        "dashboards: not-null and check constraints hold",
    ),
    "broken check constraint": (
        [
            "ALTER TABLE api_request_logs DROP CONSTRAINT api_request_logs_status_code_check",
            "UPDATE api_request_logs SET status_code = 42 WHERE id = (SELECT id FROM api_request_logs LIMIT 1)",
            "ALTER TABLE api_request_logs ADD CONSTRAINT code CHECK (status_code >= 100) NOT VALID",
        ],
        "api_request_logs: not-null and check constraints hold",
    ),
    "sequence behind": (
        [
            "CREATE TABLE invoices (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
            "INSERT INTO invoices OVERRIDING SYSTEM VALUE VALUES (7)",
        ],
        "invoices_id_seq is ahead of invoices.id",
    ),
    "sequence just behind": (
        [
            "CREATE TABLE invoices (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
            "INSERT INTO invoices OVERRIDING SYSTEM VALUE VALUES (1)",
        ],
        "invoices_id_seq is ahead of invoices.id",
    ),
    "data from after the target": (
        ["UPDATE widgets SET created_at = now() + interval '1 hour', updated_at = now() + interval '1 hour'"],
        "widgets: nothing is newer than the recovery target",
    ),
    "heartbeat from after the target": (
        ["UPDATE clickview_recovery.heartbeat SET at = now() + interval '1 hour'"],
        "clickview_recovery.heartbeat: nothing is newer than the recovery target",
    ),
    "stale data": (
        ["UPDATE clickview_recovery.heartbeat SET at = now() - interval '2 hours'"],
        "the data reaches up to the recovery target",
    ),
    "no heartbeat": (["DELETE FROM clickview_recovery.heartbeat"], "the data reaches up to the recovery target"),
    "empty API key": (["UPDATE workspaces SET encrypted_api_key = ' '"], "every workspace has its ClickUp API key"),
    "no password": (["UPDATE users SET password_hash = ''"], "every user can log in"),
    "session ends before it begins": (
        [
            "ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_check",
            "UPDATE user_sessions SET expires_at = created_at",
        ],
        "sessions end after they begin",
    ),
    "cache expires before it is fetched": (
        ["UPDATE cached_data SET expires_at = fetched_at - interval '1 s'"],
        "cached data expires after it was fetched",
    ),
    "updated before created": (
        ["UPDATE dashboards SET updated_at = created_at - interval '1 s'"],
        "dashboards: no row was updated before it was created",
    ),
    "open session of a removed user": (
        ["ALTER TABLE users ADD deleted_at timestamptz DEFAULT now() - interval '1 min'"],
        "no session of a user who was removed is still open",
    ),
}


@pytest.mark.parametrize("kind", _DAMAGE)
def test_damage_is_seen(database: DatabaseAddress, kind: str) -> None:
    statements, check = _DAMAGE[kind]
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now()")
    damage(database, *statements)
    report = check_data(database, None, exact=False, target=datetime.now(UTC))
    assert set(failures(report)) == {check}
    assert failures(report)[check].found


def test_missing_rows_are_counted(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, "DELETE FROM api_request_logs WHERE id = (SELECT id FROM api_request_logs LIMIT 1)")
    assert "api_request_logs has its rows" in failures(check_data(database, facts, exact=True, target=None))
    assert "api_request_logs has its rows" not in failures(check_data(database, facts, exact=False, target=None))
    damage(database, "TRUNCATE api_request_logs", "TRUNCATE audit_logs")
    gone = failures(check_data(database, facts, exact=False, target=None))
    assert {"api_request_logs has its rows", "audit_logs has its rows"} <= set(gone)
    assert gone["audit_logs has its rows"].found == "0 rows"


def test_rows_too_many_are_counted(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, "INSERT INTO organizations (name, slug) VALUES ('late', 'late')")
    assert "organizations has its rows" in failures(check_data(database, facts, exact=True, target=None))


def test_a_recorded_table_that_is_gone(database: DatabaseAddress) -> None:
    damage(database, "CREATE TABLE extra AS SELECT 1 AS one")
    facts = recorded(database)
    damage(database, "DROP TABLE extra")
    report = check_data(database, facts, exact=False, target=None)
    (gone,) = [result for result in report.not_checked if result.name == "extra has its rows"]
    assert "does not exist" in gone.found


def test_secrets_do_not_become_examples(database: DatabaseAddress) -> None:
    damage(
        database,
        "ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_token_hash_key",
        "UPDATE user_sessions SET token_hash = 'a-very-secret-hash'",
    )
    report = check_data(database, None, exact=False, target=None)
    assert "user_sessions: token_hash is unique" in failures(report)
    assert "a-very-secret-hash" not in str(report)


def test_names_and_conditions_that_look_like_templates(database: DatabaseAddress) -> None:
    damage(
        database,
        'CREATE TABLE "Odd {batch} %s :x" ("An id" int PRIMARY KEY, "b%" text NOT NULL'
        ' CHECK ("b%" <> \'{y} :name %(z)s \'\'\' AND "b%" !~ \'^[[:digit:]]{3}$\'), UNIQUE ("b%", "An id"))',
        "INSERT INTO \"Odd {batch} %s :x\" VALUES (1, 'fine'), (2, '{}')",
    )
    facts = recorded(database)
    assert failures(check_data(database, facts, exact=True, target=None)) == {}
    damage(
        database,
        'ALTER TABLE "Odd {batch} %s :x" DROP CONSTRAINT "Odd {batch} %s :x_b%_check"',
        'UPDATE "Odd {batch} %s :x" SET "b%" = \'123\'',
        'ALTER TABLE "Odd {batch} %s :x" ADD CONSTRAINT digits'
        " CHECK (\"b%\" !~ '^[[:digit:]]{3}$' AND \"b%\" <> ':name') NOT VALID",
    )
    broken = failures(check_data(database, facts, exact=True, target=None))
    assert set(broken) == {"Odd {batch} %s :x: not-null and check constraints hold"}


def break_file(cluster: Cluster, database: DatabaseAddress, relation: str, *, block: int, offset: int) -> None:
    """Overwrite part of a page on disk."""
    with connect(database) as connection:
        connection.execute("CHECKPOINT")
        path = connection.execute("SELECT pg_relation_filepath(%s)", (relation,)).fetchone()[0]  # type: ignore[index]
    cluster.stop()
    with (cluster.data_dir / path).open("r+b") as file:
        file.seek(block * 8192 + offset)
        file.write(b"\xde\xad\xbe\xef" * 16)
    cluster.start()


def test_a_damaged_index_page(cluster: Cluster, database: DatabaseAddress) -> None:
    break_file(cluster, database, "widgets_dashboard_id_idx", block=1, offset=4000)
    report = check_data(database, None, exact=False, target=None)
    assert "public.widgets_dashboard_id_idx is not damaged" in failures(report)


def test_a_damaged_table_page(cluster: Cluster, database: DatabaseAddress) -> None:
    break_file(cluster, database, "widgets", block=0, offset=4000)
    report = check_data(database, None, exact=False, target=None)
    broken = failures(report)
    assert "public.widgets is not damaged" in broken
    assert "invalid page in block 0" in broken["every widget belongs to a dashboard"].found


def test_an_index_that_lost_entries(database: DatabaseAddress) -> None:
    damage(
        database,
        "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'users_organization_id_idx'::regclass",
        "INSERT INTO users (organization_id, email, name, password_hash)"
        " SELECT id, 'lost@example.com', 'x', 'y' FROM organizations LIMIT 1",
    )
    damage(
        database,
        "UPDATE pg_index SET indisready = true, indisvalid = true"
        " WHERE indexrelid = 'users_organization_id_idx'::regclass",
    )
    report = check_data(database, None, exact=False, target=None)
    assert set(failures(report)) == {"public.users_organization_id_idx is not damaged"}


def test_the_copy_stays_what_it_was(database: DatabaseAddress) -> None:
    check_data(database, None, exact=False, target=None)
    with connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'").fetchone() == (0,)


def reader_of(database: DatabaseAddress) -> DatabaseAddress:
    return replace(database, user=READER, password=PASSWORD)


def test_the_reader_of_a_live_server(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now()")
    report = check_data(reader_of(database), facts, exact=True, target=None, copy=False)
    assert report.failures == ()
    assert [(r.suite, r.found) for r in report.not_checked] == [
        ("physical", "the server has no amcheck extension (run: recover site prepare --apply)")
    ]
    damage(database, "CREATE EXTENSION amcheck")
    report = check_data(reader_of(database), facts, exact=True, target=None, copy=False)
    assert report.not_checked[0].found.startswith(f"role {READER} may not run bt_index_check")
    damage(database, f"GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO {READER}")
    report = check_data(reader_of(database), facts, exact=True, target=None, copy=False)
    assert report.not_checked == ()
    assert report.passed


def test_the_reader_sees_a_damaged_index(cluster: Cluster, database: DatabaseAddress) -> None:
    damage(database, "CREATE EXTENSION amcheck", f"GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO {READER}")
    break_file(cluster, database, "widgets_dashboard_id_idx", block=1, offset=4000)
    report = check_data(reader_of(database), None, exact=False, target=None, copy=False)
    assert "widgets_dashboard_id_idx is not damaged" in failures(report)


def test_a_reader_that_row_security_would_fool(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, f"ALTER ROLE {READER} NOBYPASSRLS")
    try:
        report = check_data(reader_of(database), facts, exact=True, target=None, copy=False)
    finally:
        damage(database, f"ALTER ROLE {READER} BYPASSRLS")
    (said,) = [result.found for result in report.not_checked if result.name == "audit_logs has its rows"]
    assert 'query would be affected by row-level security policy for table "audit_logs"' in said


def test_the_report_is_left_beside_the_journal(database: DatabaseAddress, tmp_path: Path) -> None:
    damage(database, "UPDATE widgets SET dashboard_id = gen_random_uuid()")
    with writing_to(open_journal(tmp_path, "checks")) as journal:
        report = check_data(database, None, exact=False, target=datetime.now(UTC) + timedelta(days=1))
    page = (journal.folder / "checks.html").read_text()
    assert "every widget belongs to a dashboard" in page
    assert "http" not in page.replace("http-equiv", "")
    assert '"passed": false' in (journal.folder / "checks.json").read_text()
    assert "| every widget belongs to a dashboard |" in report_markdown(report)


def test_a_server_that_is_away(database: DatabaseAddress) -> None:
    with pytest.raises(TargetUnreachable):
        site().data_checks.run(replace(database, port=1), ())
    with pytest.raises(SettingsInvalid):
        site().data_checks.run(replace(database, name="nowhere"), ())


def test_the_checker_answers_in_time_or_not_at_all(database: DatabaseAddress) -> None:
    checker = site().data_checks._checker  # type: ignore[attr-defined]
    assert checker.running
    os.kill(checker.pid, signal.SIGKILL)
    with pytest.raises(CommandFailed):
        checker.ask("{}", timeout_seconds=PATIENCE)
    assert check_data(database, None, exact=False, target=None).results  # a new one was started


def test_the_checker_ends_with_its_input(database: DatabaseAddress) -> None:
    checker = site().data_checks._checker  # type: ignore[attr-defined]
    checker._in.close()
    until(lambda: not checker.running, what="the end of the checker")


def test_not_checked_is_no_pass() -> None:
    nobody = CheckResult("x", "y", CheckStatus.NOT_CHECKED, "", "why")
    report = CheckReport("db", datetime.now(UTC), 0.0, (nobody,))
    assert not report.passed
    assert report.failures == ()
