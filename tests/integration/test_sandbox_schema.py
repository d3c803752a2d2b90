"""The sandbox's database is ClickView's: its tables, its keys, its row level security."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recovery.adapters.postgres.connection import connect
from recovery.errors import SettingsInvalid
from sandbox.fill import parse_size
from sandbox.layout import Sandbox
from tests.fix_sandbox import ask

# The real application's tables as its own database says them.
REAL = json.loads((Path(__file__).parents[1] / "clickview_schema.json").read_text())
PROTECTED = ("users", "organizations", "audit_logs")

_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN '' ELSE ' null' END
    FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_KEYS = """
    SELECT contype, (SELECT string_agg(a.attname, ',' ORDER BY u.i) FROM unnest(conkey) WITH ORDINALITY u(number, i)
                     JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = u.number),
           confrelid::regclass::text, confdeltype
    FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'f', 'u')"""
_TRIGGERS = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal"
_SECURITY = "SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass"
_ON_DELETE = {"a": "no action", "c": "cascade", "n": "set null", "r": "restrict", "d": "set default"}


@pytest.fixture(scope="module")
def admin(sandbox: Sandbox) -> Iterator[Any]:
    with connect(sandbox.admin_address()) as connection:
        yield connection


def test_it_has_the_real_applications_tables_and_no_others(admin: Any) -> None:
    rows = admin.execute("SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'").fetchall()
    assert {name for (name,) in rows} == set(REAL)
    assert len(REAL) == 53


@pytest.mark.parametrize("table", REAL)
def test_a_table_is_the_real_one(admin: Any, table: str) -> None:
    real = REAL[table]
    assert list(admin.execute(_COLUMNS, [table]).fetchall()) == list(real["columns"].items())
    keys = admin.execute(_KEYS, [table]).fetchall()
    assert [columns for kind, columns, *_ in keys if kind == "p"] == [",".join(real["primary_key"])]
    assert {columns for kind, columns, *_ in keys if kind == "u"} == set(real.get("unique", []))
    foreign = {f"{own} -> {parent} on delete {_ON_DELETE[on]}" for kind, own, parent, on in keys if kind == "f"}
    assert foreign == set(real.get("foreign_keys", []))
    assert {name for (name,) in admin.execute(_TRIGGERS, [table])} == set(real.get("triggers", []))
    assert admin.execute(_SECURITY, [table]).fetchone() == (real.get("row_level_security", False),)


def test_every_table_holds_rows_and_all_keys_are_valid(sandbox: Sandbox, admin: Any) -> None:
    empty = [table for table in REAL if not admin.execute(f"SELECT EXISTS (SELECT FROM {table})").fetchone()[0]]
    assert empty == []
    # No upper bound: the writer makes it grow for as long as other tests run.
    assert ask(sandbox, "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables") > 8e6
    assert ask(sandbox, "SELECT bool_and(convalidated) FROM pg_constraint") is True


def test_no_foreign_key_of_the_filled_tables_is_orphaned(sandbox: Sandbox) -> None:
    # The fill goes past the foreign keys; adding one anew has the server check every row.
    keys = "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
    with connect(sandbox.admin_address(), autocommit=False) as connection:
        found = connection.execute(keys).fetchall()
        assert len(found) == sum(len(table.get("foreign_keys", [])) for table in REAL.values())
        for table, definition in found:
            connection.execute(f"ALTER TABLE {table} ADD {definition}")  # type: ignore[arg-type]
        connection.rollback()


def test_its_triggers_work(sandbox: Sandbox) -> None:
    with connect(sandbox.admin_address(), autocommit=False) as connection:
        (duration,) = connection.execute(
            "INSERT INTO schedule_executions (id, schedule_id, started_at, completed_at, status)"
            " SELECT 'of the test', id, '2026-01-01 00:00', '2026-01-01 00:01', 'success' FROM report_schedules LIMIT 1"
            " RETURNING duration_ms"
        ).fetchone()  # type: ignore[misc]
        connection.execute("UPDATE rls_policies SET description = 'changed'")
        changed = connection.execute(
            "SELECT count(*) FILTER (WHERE a.new_values ->> 'description' = 'changed'), count(DISTINCT p.id)"
            " FROM rls_policies p JOIN rls_policy_audit a ON a.policy_id = p.id AND a.action = 'update'"
            " WHERE p.updated_at = now()"
        ).fetchone()
        connection.rollback()
    assert duration == 60_000
    assert changed == (3, 3)


@contextmanager
def application(sandbox: Sandbox) -> Iterator[Any]:
    """The application's own connection: its role owns the tables."""
    at = sandbox.address()
    with psycopg.connect(host=at.host, port=at.port, dbname=at.name, user=at.user, password=at.password) as connection:
        yield connection


def counted(connection: Any) -> dict[str, int]:
    return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in PROTECTED}


def test_row_level_security_holds_for_the_application_itself(sandbox: Sandbox) -> None:
    with application(sandbox) as connection:
        assert counted(connection) == dict.fromkeys(PROTECTED, 0)
        connection.execute(
            "SELECT set_config('app.organization_id', organization_id::text, true) FROM organization_members LIMIT 1"
        )
        own = counted(connection)
        others = connection.execute(
            "SELECT count(*) FROM audit_logs WHERE organization_id::text <> current_setting('app.organization_id')"
        ).fetchone()
        assert others == (0,)
        connection.execute("SELECT set_config('app.sees_all', 'on', true)")
        everything = counted(connection)
    assert own["organizations"] == 1
    assert all(0 < own[table] < everything[table] for table in PROTECTED)


def test_an_organization_cannot_write_into_anothers_audit_trail(sandbox: Sandbox) -> None:
    with application(sandbox) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(
            "INSERT INTO audit_logs (organization_id, action) SELECT organization_id, 'x' FROM organization_members LIMIT 1"
        )


@pytest.mark.parametrize(
    ("text", "size"), [("10MB", 10_000_000), ("1GB", 10**9), ("1.5g", 1_500_000_000), ("7", 7), ("20 kb", 20_000)]
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="lots is not a size"):
        parse_size("lots")
