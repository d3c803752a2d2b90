"""Fill ClickView's tables to a wanted size, inside the server.

Keys are computed from row numbers, so parents need not be looked up. Documents repeat words and
shapes as real ones do: they compress about four times, not to nothing.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import LiteralString

from recovery.adapters.postgres.connection import connect
from recovery.errors import SettingsInvalid
from recovery.facts import DatabaseAddress

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_FILL_SECONDS = 4 * 3600.0

# How many rows a megabyte of database holds of each table.
_ROWS_PER_MB = {
    "organizations": 0.5,
    "users": 10,
    "workspaces": 1,
    "dashboards": 40,
    "widgets": 160,
    "widget_data_sources": 160,
    "widget_filters": 120,
    "filter_presets": 4,
    "dashboard_shares": 60,
    "user_sessions": 120,
    "cached_data": 170,
    "api_request_logs": 900,
    "audit_logs": 500,
}

_HELPERS = """
CREATE FUNCTION pg_temp.key(kind text, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT md5(kind || i)::uuid $$;
CREATE FUNCTION pg_temp.word(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT (ARRAY['sprint','review','backlog','invoice','launch','design','customer','onboarding','release',
        'incident','budget','campaign','hiring','roadmap','quarter','mobile','search','billing','partner','audit',
        'pricing','metrics','support','renewal','security','training','website','feedback','meeting','forecast',
        'handover','migration'])[1 + abs(hashint8(i)) % 32] $$;
"""

_STATEMENTS: dict[str, LiteralString] = {
    "organizations": """
        INSERT INTO organizations (id, name, slug, plan)
        SELECT pg_temp.key('o', i), initcap(pg_temp.word(i)) || ' ' || i, 'org-' || i,
               (ARRAY['free', 'team', 'business', 'enterprise'])[1 + i %% 4]
        FROM generate_series(1, %(organizations)s) i""",
    "users": """
        INSERT INTO users (id, organization_id, email, name, role, password_hash, preferences)
        SELECT pg_temp.key('u', i), pg_temp.key('o', 1 + i %% %(organizations)s), 'user' || i || '@example.com',
               initcap(pg_temp.word(i)) || ' ' || initcap(pg_temp.word(i * 7)),
               (ARRAY['owner', 'admin', 'member', 'member', 'viewer'])[1 + i %% 5],
               '$2b$12$' || md5('p' || i) || substr(md5('q' || i), 1, 21),
               jsonb_build_object('theme', CASE WHEN i %% 3 = 0 THEN 'dark' ELSE 'light' END, 'zone', i %% 24)
        FROM generate_series(1, %(users)s) i""",
    "workspaces": """
        INSERT INTO workspaces (id, organization_id, name, clickup_workspace_id, encrypted_api_key)
        SELECT pg_temp.key('w', i), pg_temp.key('o', 1 + i %% %(organizations)s), pg_temp.word(i) || ' workspace',
               (9000000000 + i)::text, 'v1:' || md5('k' || i) || ':' || md5('l' || i) || md5('m' || i)
        FROM generate_series(1, %(workspaces)s) i""",
    "dashboards": """
        INSERT INTO dashboards (id, workspace_id, owner_id, name, description, layout, created_at)
        SELECT pg_temp.key('d', i), pg_temp.key('w', 1 + i %% %(workspaces)s), pg_temp.key('u', 1 + i %% %(users)s),
               initcap(pg_temp.word(i)) || ' ' || pg_temp.word(i * 3), 'Shows ' || pg_temp.word(i * 5) || ' by '
               || pg_temp.word(i * 11) || ' for the ' || pg_temp.word(i * 13) || ' team',
               jsonb_build_object('columns', 12, 'rows', 4 + i %% 9), now() - random() * interval '300 days'
        FROM generate_series(1, %(dashboards)s) i""",
    "widgets": """
        INSERT INTO widgets (id, dashboard_id, kind, title, position, config)
        SELECT pg_temp.key('x', i), pg_temp.key('d', 1 + i %% %(dashboards)s),
               (ARRAY['bar', 'line', 'pie', 'table', 'number', 'burndown', 'calendar'])[1 + i %% 7],
               initcap(pg_temp.word(i)) || ' per ' || pg_temp.word(i * 17),
               jsonb_build_object('x', i %% 12, 'y', i %% 40, 'w', 4, 'h', 3),
               jsonb_build_object('color', substr(md5(i::text), 1, 6), 'groupBy', pg_temp.word(i * 19),
                   'showLegend', i %% 2 = 0, 'limit', i %% 100, 'title', pg_temp.word(i * 23))
        FROM generate_series(1, %(widgets)s) i""",
    "widget_data_sources": """
        INSERT INTO widget_data_sources (id, widget_id, source, query)
        SELECT pg_temp.key('s', i), pg_temp.key('x', i), (ARRAY['tasks', 'time_entries', 'goals', 'lists'])[1 + i %% 4],
               jsonb_build_object('list', md5('a' || i %% 5000), 'status', pg_temp.word(i), 'page', i %% 30)
        FROM generate_series(1, %(widget_data_sources)s) i""",
    "widget_filters": """
        INSERT INTO widget_filters (id, widget_id, field, operator, value)
        SELECT pg_temp.key('f', i), pg_temp.key('x', 1 + i %% %(widgets)s), pg_temp.word(i),
               (ARRAY['eq', 'ne', 'lt', 'gt', 'in'])[1 + i %% 5], to_jsonb(pg_temp.word(i * 3))
        FROM generate_series(1, %(widget_filters)s) i""",
    "filter_presets": """
        INSERT INTO filter_presets (id, workspace_id, created_by, name, filters)
        SELECT pg_temp.key('e', i), pg_temp.key('w', 1 + i %% %(workspaces)s), pg_temp.key('u', 1 + i %% %(users)s),
               'preset ' || i, jsonb_build_array(jsonb_build_object('field', pg_temp.word(i), 'eq', i %% 50))
        FROM generate_series(1, %(filter_presets)s) i""",
    "dashboard_shares": """
        INSERT INTO dashboard_shares (id, dashboard_id, user_id, permission)
        SELECT pg_temp.key('h', i), pg_temp.key('d', 1 + i %% %(dashboards)s), pg_temp.key('u', 1 + i %% %(users)s),
               (ARRAY['view', 'edit', 'admin'])[1 + i %% 3]
        FROM generate_series(1, %(dashboard_shares)s) i ON CONFLICT DO NOTHING""",
    "user_sessions": """
        INSERT INTO user_sessions (id, user_id, token_hash, ip_address, user_agent, created_at, expires_at)
        SELECT pg_temp.key('t', i), pg_temp.key('u', 1 + i %% %(users)s), md5('t' || i) || md5('v' || i),
               '10.0.0.0'::inet + i %% 65536, 'Mozilla/5.0 (X11; Linux x86_64) Browser/' || i %% 90, moment,
               moment + interval '30 days'
        FROM generate_series(1, %(user_sessions)s) i, LATERAL (SELECT now() - i %% 40 * interval '1 day' AS moment) m""",
    "cached_data": """
        INSERT INTO cached_data (id, workspace_id, cache_key, data, expires_at)
        SELECT pg_temp.key('c', i), pg_temp.key('w', 1 + i %% %(workspaces)s), 'tasks:' || i,
               document || jsonb_build_object('etag', md5('e' || i), 'total', i %% 5000), now() + interval '1 hour'
        FROM generate_series(1, %(cached_data)s) i JOIN documents ON number = i %% %(documents)s""",
    "api_request_logs": """
        INSERT INTO api_request_logs (id, workspace_id, method, path, status_code, duration_ms, response_bytes,
            created_at)
        SELECT pg_temp.key('r', i), pg_temp.key('w', 1 + i %% %(workspaces)s),
               (ARRAY['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE'])[1 + i %% 6],
               '/api/v2/' || pg_temp.word(i) || '/' || hashint8(i) || '/' || pg_temp.word(i * 3),
               (ARRAY[200, 200, 200, 201, 404, 429, 500])[1 + i %% 7], (random() * 900)::int,
               (random() * 90000)::int, now() - random() * interval '30 days'
        FROM generate_series(1, %(api_request_logs)s) i""",
    "audit_logs": """
        INSERT INTO audit_logs (id, organization_id, user_id, action, entity_type, entity_id, details, created_at)
        SELECT pg_temp.key('a', i), pg_temp.key('o', 1 + i %% %(organizations)s), pg_temp.key('u', 1 + i %% %(users)s),
               (ARRAY['create', 'update', 'delete', 'share', 'view'])[1 + i %% 5], 'dashboard',
               pg_temp.key('d', 1 + i %% %(dashboards)s),
               jsonb_build_object('ip', '10.0.' || i %% 250 || '.7', 'field', pg_temp.word(i), 'to', pg_temp.word(i * 7)),
               now() - random() * interval '90 days'
        FROM generate_series(1, %(audit_logs)s) i""",
}

_DOCUMENTS: LiteralString = """
    CREATE TEMP TABLE documents AS
    SELECT n AS number, jsonb_build_object('tasks', jsonb_agg(jsonb_build_object(
        'id', substr(md5(n || '.' || k), 1, 9), 'name', pg_temp.word(n * 31 + k) || ' ' || pg_temp.word(n * 7 + k * 3),
        'status', pg_temp.word(n + k * 5), 'estimate', (n * k) %% 90, 'due', 1700000000 + (n * 7919 + k * 104729) %% 9999999,
        'assignee', pg_temp.word(n * 3 + k), 'points', k))) AS document
    FROM generate_series(0, %(documents)s - 1) n, generate_series(1, 12) k GROUP BY n"""


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
    text = resources.files("sandbox").joinpath("schema.sql").read_text()
    with connect(address, autocommit=False) as connection:
        connection.execute(text.encode())


def fill(admin: DatabaseAddress, size_bytes: int) -> None:
    """Fill empty tables to about this size, two tables at a time."""
    rows = {table: max(3, int(1.38 * per_mb * size_bytes / 1e6)) for table, per_mb in _ROWS_PER_MB.items()}
    rows["widget_data_sources"] = rows["widgets"]
    rows["documents"] = min(4000, rows["cached_data"])
    halves = ["cached_data"], [table for table in _STATEMENTS if table != "cached_data"]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_fill_tables, admin, tables, rows) for tables in halves]:
            done.result()
    with connect(admin, statement_seconds=_FILL_SECONDS) as connection:
        connection.execute("ANALYZE")


def _fill_tables(admin: DatabaseAddress, tables: list[str], rows: dict[str, int]) -> None:
    with connect(admin, statement_seconds=_FILL_SECONDS, autocommit=False) as connection:
        # All keys are right by construction; triggers and foreign keys would only take time.
        connection.execute("SET session_replication_role = replica")
        connection.execute(_HELPERS)
        if "cached_data" in tables:
            connection.execute(_DOCUMENTS, rows)
        for table in tables:
            connection.execute(_STATEMENTS[table], rows)
