"""Make a server ready to be protected: what differs, and the statements that mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.facts import Change, DatabaseAddress

_SCHEMA = "clickview_recovery"

# Reads everything past row level security and writes nothing.
_READER = ("pg_read_all_data", "pg_monitor")
# Starts and ends backups, reads what a backup must know; sees no row of the application's.
_BACKUP = ("pg_read_all_settings", "pg_monitor", "pg_checkpoint")
_BACKUP_FUNCTIONS = (
    "pg_backup_start(text, boolean)",
    "pg_backup_stop(boolean)",
    "pg_create_restore_point(text)",
    "pg_switch_wal()",
    "pg_wal_replay_pause()",
    "pg_wal_replay_resume()",
)
_INDEX_CHECK = "bt_index_check(regclass)"
_HEARTBEAT = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
CREATE TABLE IF NOT EXISTS {_SCHEMA}.heartbeat (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    beat bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE {_SCHEMA}.heartbeat IS
    'One row, written every few seconds: every moment can be recovered to, and a loss can be measured';
INSERT INTO {_SCHEMA}.heartbeat DEFAULT VALUES ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION {_SCHEMA}.beat() RETURNS timestamptz LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog AS
$$ UPDATE {_SCHEMA}.heartbeat SET beat = beat + 1, at = clock_timestamp() RETURNING at $$;
REVOKE ALL ON FUNCTION {_SCHEMA}.beat() FROM PUBLIC;
"""


@dataclass(frozen=True)
class Role:
    """A role that the recovery system works with."""

    name: str
    password: str | None
    member_of: tuple[str, ...]
    bypass_row_security: bool = False
    replication: bool = False


def reader_role(name: str, password: str | None) -> Role:
    """The role of the data checks."""
    return Role(name, password, _READER, bypass_row_security=True)


def backup_role(name: str, password: str | None) -> Role:
    """The role of the backups and of the heartbeat."""
    return Role(name, password, _BACKUP)


def role_changes(address: DatabaseAddress, role: Role) -> list[Change]:
    """What is missing of a role."""
    with connect(address, read_only=True) as connection:
        row = connection.execute(
            """SELECT rolcanlogin AND rolbypassrls = %s AND NOT rolsuper
                      AND (SELECT count(*) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                           WHERE m.member = r.oid AND g.rolname = ANY(%s)) = %s
               FROM pg_roles r WHERE rolname = %s""",
            (role.bypass_row_security, list(role.member_of), len(role.member_of), role.name),
        ).fetchone()
    if row is None:
        return [Change(f"create role {role.name}", _purpose(role))]
    return [] if row[0] else [Change(f"mend the rights of role {role.name}", _purpose(role))]


def apply_role(address: DatabaseAddress, role: Role) -> None:
    """Create the role, or put its rights and its password right. Idempotent."""
    name = sql.Identifier(role.name)
    with connect(address) as connection:
        # A password must not reach the server's log or pg_stat_statements.
        connection.execute("SET log_statement = 'none'; SET log_min_duration_statement = -1")
        connection.execute("SET log_min_error_statement = 'panic'; SET password_encryption = 'scram-sha-256'")
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role.name,)).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        bypass = sql.SQL("BYPASSRLS" if role.bypass_row_security else "NOBYPASSRLS")
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {}").format(name, bypass))
        if role.password is not None:
            secret = sql.Literal(_scram(connection, role))
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, secret))
        for group in role.member_of:
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name))


def _scram(connection: Connection, role: Role) -> str:
    """The password as the server stores it: the clear text never travels in a statement."""
    return connection.pgconn.encrypt_password(
        (role.password or "").encode(), role.name.encode(), b"scram-sha-256"
    ).decode()


def heartbeat_changes(address: DatabaseAddress) -> list[Change]:
    """Whether the heartbeat is missing in the application's database."""
    with connect(address, read_only=True) as connection:
        found = one_row(connection, "SELECT to_regprocedure('clickview_recovery.beat()') IS NOT NULL")[0]
    why = "an idle site stays recoverable to every moment, and a loss can be measured"
    return [] if found else [Change("create the heartbeat table", why)]


def apply_heartbeat(address: DatabaseAddress, backup_user: str, reader_user: str) -> None:
    """Create the heartbeat table and let the backup role write it. Idempotent."""
    with connect(address) as connection:
        connection.execute(_HEARTBEAT.encode())
        backup, reader = sql.Identifier(backup_user), sql.Identifier(reader_user)
        schema = sql.Identifier(_SCHEMA)
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(schema, backup, reader))
        connection.execute(sql.SQL("GRANT SELECT ON {}.heartbeat TO {}, {}").format(schema, backup, reader))
        connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {}.beat() TO {}").format(schema, backup))


def index_check_changes(address: DatabaseAddress, reader_user: str) -> list[Change]:
    """Whether the checks may look into indexes of the application's database."""
    with connect(address, read_only=True) as connection:
        row = one_row(
            connection,
            """SELECT to_regprocedure('bt_index_check(regclass)') IS NOT NULL,
                      EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s),
                      EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck')""",
            (reader_user,),
        )
        allowed = row[0] and row[1] and _may_execute(connection, reader_user, _INDEX_CHECK)
    if allowed or not row[2]:
        return []
    return [Change(f"install amcheck and let {reader_user} use it", "indexes of the live database can be checked")]


def apply_index_check(address: DatabaseAddress, reader_user: str) -> None:
    """Install amcheck in the application's database for the checks. Idempotent."""
    with connect(address) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        grant = sql.SQL("GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO {}")
        connection.execute(grant.format(sql.Identifier(reader_user)))


def right_changes(address: DatabaseAddress, backup_user: str) -> list[Change]:
    """Which functions the backup role may not call yet (rights are per database)."""
    with connect(address, read_only=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (backup_user,)).fetchone()
        missing = [f for f in _BACKUP_FUNCTIONS if not known or not _may_execute(connection, backup_user, f)]
    return (
        [Change(f"let {backup_user} call {len(missing)} functions", "backups start and end with them")]
        if missing
        else []
    )


def _may_execute(connection: Connection, role: str, function: str) -> bool:
    return bool(one_row(connection, "SELECT has_function_privilege(%s, %s, 'EXECUTE')", (role, function))[0])


def apply_rights(address: DatabaseAddress, backup_user: str) -> None:
    """Let the backup role call what a backup needs. Idempotent."""
    with connect(address) as connection:
        for function in _BACKUP_FUNCTIONS:
            call = sql.SQL(function)
            connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(call, sql.Identifier(backup_user)))


def setting_changes(address: DatabaseAddress, wanted: dict[str, str]) -> Iterator[Change]:
    """Which server settings differ from what archiving needs."""
    with connect(address, read_only=True) as connection:
        for name, value in wanted.items():
            row = one_row(connection, "SELECT setting, context FROM pg_settings WHERE name = %s", (name,))
            if row[0] != value:
                yield Change(f"set {name} = {value}", _REASONS[name], needs_restart=row[1] == "postmaster")


def apply_settings(address: DatabaseAddress, wanted: dict[str, str]) -> None:
    """Set server settings and reload; what needs a restart takes effect with the next one. Idempotent."""
    with connect(address) as connection:
        for name, value in wanted.items():
            statement = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")


_REASONS = {
    "archive_mode": "WAL leaves the server, so that every moment can be recovered",
    "archive_command": "WAL goes to every repository",
    "archive_timeout": "an idle site archives its WAL in time for the RPO",
    "track_commit_timestamp": "the exact moment of a commit is known, and lost rows can be named",
    "wal_level": "the WAL holds enough for recovery and for a standby",
}


def _purpose(role: Role) -> str:
    if role.bypass_row_security:
        return "the data checks see every row past row level security and write none"
    return "backups and the heartbeat work without a superuser"
