"""Make ClickView's tables and fill them to a wanted size, inside the server: schema/*.sql, rows/*.sql."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

from recovery.adapters.postgres.connection import connect
from recovery.errors import SettingsInvalid
from recovery.facts import DatabaseAddress

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_FILL_SECONDS = 4 * 3600.0

# In the order of what needs what.
_SCHEMA = ("functions", "people", "workspaces", "dashboards", "reports", "access", "policies", "views")
# Keys need no parent to be there, so the order is free: the largest first.
_ROWS = ("cached_data", "people", "workspaces", "dashboards", "reports", "access")

# How many rows a megabyte of database holds of each table; a table that is not named here gets its few.
_ROWS_PER_MB = {
    "organizations": 0.5,
    "users": 10,
    "user_sessions": 120,
    "user_sso_connections": 3,
    "api_keys": 3,
    "audit_logs": 500,
    "security_events": 10,
    "workspaces": 1,
    "workspace_members": 20,
    "teams": 2,
    "team_members": 10,
    "filter_presets": 4,
    "cached_data": 160,
    "api_request_logs": 900,
    "tasks": 60,
    "task_sync_history": 5,
    "dashboard_folders": 4,
    "dashboards": 40,
    "widgets": 160,
    "widget_data_sources": 160,
    "widget_filters": 120,
    "calculated_fields": 8,
    "dashboard_comments": 20,
    "dashboard_templates": 1,
    "dashboard_from_template_usage": 2,
    "dashboard_permissions": 20,
    "dashboard_share_links": 6,
    "dashboard_shares": 10,
    "dashboard_exports": 8,
    "report_schedules": 6,
    "schedule_executions": 30,
    "schedule_execution_logs": 60,
    "schedule_alerts": 4,
    "distribution_history": 30,
    "report_exports": 5,
    "roles": 2,
    "permissions": 1,
    "user_roles": 10,
    "resource_permissions": 20,
    "permission_delegations": 1,
    "permission_inheritance": 10,
    "materialized_permissions": 60,
    "authorization_context": 10,
    "abac_policies": 1,
    "abac_policy_cache": 30,
}
_FEW = 3  # as in rows/helpers.sql


def parse_size(text: str) -> int:
    """Bytes of a size such as 10MB or 1GB.

    Raises: SettingsInvalid when it is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B?)\s*", text.upper())
    if not match:
        raise SettingsInvalid(f"{text} is not a size", "write a number and a unit, for example 10MB or 1GB")
    unit = match[2] if match[2].endswith("B") or not match[2] else match[2] + "B"
    return int(float(match[1]) * _UNITS["" if unit == "B" else unit])


def make_schema(address: DatabaseAddress) -> None:
    """Make ClickView's tables, owned by the role that connects."""
    with connect(address, autocommit=False) as connection:
        for part in _SCHEMA:
            connection.execute(_sql("schema", part))


def fill(admin: DatabaseAddress, size_bytes: int) -> None:
    """Fill empty tables to about this size (indexes included), two files of rows at a time."""
    wanted = {table: max(_FEW, int(1.17 * per_mb * size_bytes / 1e6)) for table, per_mb in _ROWS_PER_MB.items()}
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_fill_tables, admin, part, wanted) for part in _ROWS]:
            done.result()
    with connect(admin, statement_seconds=_FILL_SECONDS) as connection:
        connection.execute("ANALYZE")


def _fill_tables(admin: DatabaseAddress, part: str, wanted: dict[str, int]) -> None:
    with connect(admin, statement_seconds=_FILL_SECONDS, autocommit=False) as connection:
        # All keys are right by construction; triggers and foreign keys would only take time.
        connection.execute("SET session_replication_role = replica")
        connection.execute("CREATE TEMP TABLE wanted (name text, rows bigint)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO wanted VALUES (%s, %s)", list(wanted.items()))
        connection.execute(_sql("rows", "helpers"))
        connection.execute(_sql("rows", part))


def _sql(folder: str, part: str) -> bytes:
    return resources.files("sandbox").joinpath(folder, f"{part}.sql").read_bytes()
