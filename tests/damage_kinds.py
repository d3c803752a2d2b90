"""The kinds of damage that the data checks are tried on."""

from __future__ import annotations

# What is done to the database → the check that must say so.
DAMAGE: dict[str, tuple[list[str], str]] = {
    "orphan": (
        ["UPDATE widgets SET dashboard_id = gen_random_uuid() WHERE id IN (SELECT id FROM widgets LIMIT 3)"],
        "widgets.dashboard_id points at a row of dashboards",
    ),
    "orphan without foreign key": (
        [
            "ALTER TABLE user_sessions DROP CONSTRAINT user_sessions_user_id_fkey",
            "UPDATE user_sessions SET user_id = gen_random_uuid() WHERE id = (SELECT id FROM user_sessions LIMIT 1)",
        ],
        "no session outlives its user",
    ),
    "orphan that only the catalog knows": (
        ["UPDATE security_events SET resolved_by = gen_random_uuid()"],
        "security_events.resolved_by points at a row of users",
    ),
    "orphan hidden by row level security": (
        ["UPDATE audit_logs SET organization_id = gen_random_uuid() WHERE id = (SELECT id FROM audit_logs LIMIT 1)"],
        "audit_logs.organization_id points at a row of organizations",
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
        "organizations: slugs is unique",
    ),
    "repeated key of an expression": (
        [
            "CREATE INDEX users_lower ON users (lower(first_name)) WHERE locale = 'en'",
            "UPDATE users SET first_name = 'Same'",
            "UPDATE pg_index SET indisunique = true WHERE indexrelid = 'users_lower'::regclass",
        ],
        "users: users_lower is unique",
    ),
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
        "dashboards: not-null constraints hold",
    ),
    "broken check constraint": (
        [
            "ALTER TABLE security_events DROP CONSTRAINT security_events_risk_score_check",
            "UPDATE security_events SET risk_score = 142 WHERE id = (SELECT id FROM security_events LIMIT 1)",
            "ALTER TABLE security_events ADD CONSTRAINT score CHECK (risk_score <= 100) NOT VALID",
            "UPDATE pg_constraint SET convalidated = true WHERE NOT convalidated",
        ],
        "security_events: score holds",
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
    "key that cannot be decrypted": (
        ["UPDATE workspaces SET api_key_iv = ''"],
        "every ClickUp API key can be decrypted",
    ),
    "API key without a hash": (
        ["UPDATE api_keys SET key_hash = '' WHERE id = (SELECT id FROM api_keys LIMIT 1)"],
        "every API key can be recognized",
    ),
    "no mail address": (
        ["UPDATE users SET email = 'nobody' WHERE id = (SELECT id FROM users LIMIT 1)"],
        "every user has a mail address",
    ),
    "session ends before it begins": (
        ["UPDATE user_sessions SET expires_at = created_at - interval '1 s'"],
        "sessions end after they begin",
    ),
    "cache expires before it is fetched": (
        ["UPDATE cached_data SET expires_at = created_at - interval '1 s'"],
        "cached data expires after it was fetched",
    ),
    "updated before created": (
        ["UPDATE dashboards SET updated_at = created_at - interval '1 s'"],
        "dashboards: no row was updated before it was created",
    ),
    "open session of a deleted user": (
        ["UPDATE users SET deleted_at = now() - interval '1 min'"],
        "no session of a user who was removed is still open",
    ),
    "open session of a deactivated user": (
        ["UPDATE users SET is_active = false"],
        "no session of a user who was removed is still open",
    ),
}
