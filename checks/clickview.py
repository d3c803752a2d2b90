"""ClickView's own rules: what its database holds and what must be true between its tables."""

from __future__ import annotations

from collections.abc import Iterator

from checks.expectation import agreed, identity, no_rows, orphans, rows_where, without_repeats
from recovery.catalog import Catalog, TableName, quoted
from recovery.expectation import Expectation, ExpectationKind

# What the application cannot work without. Columns that come later do no harm.
TABLES: dict[str, tuple[str, ...]] = {
    "organizations": ("id", "name", "slug", "created_at", "updated_at"),
    "users": ("id", "organization_id", "email", "name", "role", "password_hash", "created_at", "updated_at"),
    "user_sessions": ("id", "user_id", "token_hash", "created_at", "expires_at"),
    "workspaces": ("id", "organization_id", "name", "encrypted_api_key", "created_at", "updated_at"),
    "dashboards": ("id", "workspace_id", "owner_id", "name", "layout", "created_at", "updated_at"),
    "widgets": ("id", "dashboard_id", "kind", "title", "position", "config", "created_at", "updated_at"),
    "widget_data_sources": ("id", "widget_id", "source", "query", "created_at", "updated_at"),
    "widget_filters": ("id", "widget_id", "field", "operator", "value", "created_at"),
    "filter_presets": ("id", "workspace_id", "name", "filters", "created_at", "updated_at"),
    "dashboard_shares": ("id", "dashboard_id", "user_id", "permission", "created_at"),
    "cached_data": ("id", "workspace_id", "cache_key", "data", "fetched_at", "expires_at"),
    "api_request_logs": ("id", "workspace_id", "method", "path", "status_code", "created_at"),
    "audit_logs": ("id", "organization_id", "user_id", "action", "entity_type", "created_at"),
}

# Said even when the foreign key itself was lost: (sentence, table, column, parent).
RELATIONS: tuple[tuple[str, str, str, str], ...] = (
    ("every user belongs to an organization", "users", "organization_id", "organizations"),
    ("no session outlives its user", "user_sessions", "user_id", "users"),
    ("every workspace belongs to an organization", "workspaces", "organization_id", "organizations"),
    ("every dashboard belongs to a workspace", "dashboards", "workspace_id", "workspaces"),
    ("every dashboard has an owner", "dashboards", "owner_id", "users"),
    ("every widget belongs to a dashboard", "widgets", "dashboard_id", "dashboards"),
    ("every data source belongs to a widget", "widget_data_sources", "widget_id", "widgets"),
    ("every filter belongs to a widget", "widget_filters", "widget_id", "widgets"),
    ("every filter preset belongs to a workspace", "filter_presets", "workspace_id", "workspaces"),
    ("every share is of a dashboard that exists", "dashboard_shares", "dashboard_id", "dashboards"),
    ("every share is with a user who exists", "dashboard_shares", "user_id", "users"),
    ("cached data belongs to a workspace", "cached_data", "workspace_id", "workspaces"),
    ("every logged request belongs to a workspace", "api_request_logs", "workspace_id", "workspaces"),
    ("every audit entry belongs to an organization", "audit_logs", "organization_id", "organizations"),
)

# Unique to ClickView, whether or not the index that enforces it survived.
KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((table, ("id",)) for table in TABLES),
    ("organizations", ("slug",)),
    ("users", ("email",)),
    ("user_sessions", ("token_hash",)),
    ("dashboard_shares", ("dashboard_id", "user_id")),
    ("cached_data", ("workspace_id", "cache_key")),
)

# (sentence, what is expected, table, columns it needs, condition of a row that breaks it)
RULES: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    (
        "every workspace has its ClickUp API key",
        "no workspace with an empty encrypted_api_key",
        "workspaces",
        ("encrypted_api_key",),
        "length(btrim(coalesce(c.encrypted_api_key, ''))) = 0",
    ),
    (
        "every user can log in",
        "no user without e-mail address or password hash",
        "users",
        ("email", "password_hash"),
        "coalesce(c.email, '') NOT LIKE '%@%' OR length(coalesce(c.password_hash, '')) = 0",
    ),
    (
        "sessions end after they begin",
        "expires_at after created_at",
        "user_sessions",
        ("expires_at", "created_at"),
        "c.expires_at <= c.created_at",
    ),
    (
        "cached data expires after it was fetched",
        "expires_at not before fetched_at",
        "cached_data",
        ("expires_at", "fetched_at"),
        "c.expires_at < c.fetched_at",
    ),
)

# Users who are gone but still there: their sessions must not be.
_GONE = {
    "deleted_at": "u.deleted_at IS NOT NULL AND u.deleted_at <= now()",
    "deactivated_at": "u.deactivated_at IS NOT NULL AND u.deactivated_at <= now()",
    "is_active": "NOT u.is_active",
}


def clickview_suite(catalog: Catalog) -> tuple[Expectation, ...]:
    """ClickView's tables, keys and rules. A rule whose columns are missing is left to `columns`."""
    return without_repeats(
        [
            *_tables(catalog),
            *_relations(catalog),
            *_sessions_of_gone_users(catalog),
            *_rules(catalog),
            *_updated_after_created(catalog),
            *_keys(catalog),
        ]
    )


def _tables(catalog: Catalog) -> Iterator[Expectation]:
    for table, columns in TABLES.items():
        missing = [column for column in columns if not catalog.has(TableName("public", table), column)]
        sentence = f"{table} is there with its columns"
        yield agreed("tables", sentence, f"columns {', '.join(columns)}", [f"missing: {name}" for name in missing])


def _relations(catalog: Catalog) -> Iterator[Expectation]:
    for sentence, table, column, parent in RELATIONS:
        child, other = TableName("public", table), TableName("public", parent)
        if catalog.has(child, column) and catalog.has(other, "id"):
            query = orphans(child, (column,), other, ("id",), identity(catalog, child))
            yield no_rows("ClickView", sentence, f"every {table}.{column} is a row of {parent}", query, table=child)


def _sessions_of_gone_users(catalog: Catalog) -> Iterator[Expectation]:
    users, sessions = TableName("public", "users"), TableName("public", "user_sessions")
    gone = [condition for column, condition in _GONE.items() if catalog.has(users, column)]
    if gone and catalog.has(sessions, "user_id", "expires_at"):
        condition = (
            f"c.expires_at > now() AND EXISTS (SELECT 1 FROM {users.sql} u"
            f" WHERE u.id = c.user_id AND ({' OR '.join(gone)}))"
        )
        query = rows_where(sessions, condition, ['c."id"', 'c."user_id"'])
        sentence = "no session of a user who was removed is still open"
        yield no_rows("ClickView", sentence, "no open session of a removed user", query, table=sessions)


def _rules(catalog: Catalog) -> Iterator[Expectation]:
    for sentence, expected, table, columns, condition in RULES:
        name = TableName("public", table)
        if catalog.has(name, *columns):
            shown = [*identity(catalog, name), *(f"c.{quoted(column)}" for column in columns if column in _SHOWN)]
            yield no_rows("ClickView", sentence, expected, rows_where(name, condition, shown), table=name)


# Never password hashes, tokens or API keys: examples are read by many.
_SHOWN = frozenset({"expires_at", "created_at", "fetched_at"})


def _updated_after_created(catalog: Catalog) -> Iterator[Expectation]:
    for table in TABLES:
        name = TableName("public", table)
        if catalog.has(name, "created_at", "updated_at"):
            shown = [*identity(catalog, name), "c.created_at", "c.updated_at"]
            query = rows_where(name, "c.updated_at < c.created_at", shown)
            sentence = f"{table}: no row was updated before it was created"
            yield no_rows("ClickView", sentence, "updated_at not before created_at", query, table=name)


def _keys(catalog: Catalog) -> Iterator[Expectation]:
    for table, columns in KEYS:
        name = TableName("public", table)
        if catalog.has(name, *columns):
            shown = ", ".join(columns)
            yield Expectation(
                "unique keys",
                f"{table}: {shown} is unique",
                f"no two rows share {shown}",
                ExpectationKind.UNIQUE,
                table=name,
                columns=columns,
            )
