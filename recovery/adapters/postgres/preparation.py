"""Make a server ready to be protected: what differs, and the statements that mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.standing_roles import is_there
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
# The function is called by its schema: the extension may stand in any.
_INDEX_CHECK: LiteralString = """
SELECT p.oid, n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE e.extname = 'amcheck' AND p.proname = 'bt_index_check' AND p.pronargs = 1
"""
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
                      AND (SELECT count(DISTINCT g.oid) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                           WHERE m.member = r.oid AND g.rolname = ANY(%s)) = %s
               FROM pg_roles r WHERE rolname = %s""",
            (role.bypass_row_security, list(role.member_of), len(role.member_of), role.name),
        ).fetchone()
    if row is None:
        return [Change(f"create role {role.name}", _purpose(role))]
    return [] if row[0] else [Change(f"mend the rights of role {role.name}", _purpose(role))]


def apply_role(address: DatabaseAddress, role: Role) -> None:
    """Create the role with its password, or put its rights right. Idempotent.

    A role that is there keeps its password: somebody may work with it.
    """
    name = sql.Identifier(role.name)
    with connect(address) as connection:
        if not is_there(connection, role.name):
            connection.execute(sql.SQL("CREATE ROLE {}").format(name))
            _set_password(connection, role)
        bypass = sql.SQL("BYPASSRLS" if role.bypass_row_security else "NOBYPASSRLS")
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {}").format(name, bypass))
        for group in role.member_of:
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name))


def apply_password(address: DatabaseAddress, role: Role) -> None:
    """Give the role the password of the settings. Idempotent."""
    with connect(address) as connection:
        _set_password(connection, role)


def _set_password(connection: Connection, role: Role) -> None:
    if role.password is None:
        return
    # A password must not reach the server's log or pg_stat_statements.
    connection.execute("SET log_statement = 'none'; SET log_min_duration_statement = -1")
    connection.execute("SET log_min_error_statement = 'panic'; SET password_encryption = 'scram-sha-256'")
    secret = sql.Literal(_scram(connection, role))
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role.name), secret))


def _scram(connection: Connection, role: Role) -> str:
    """The password as the server stores it: the clear text never travels in a statement."""
    return connection.pgconn.encrypt_password(
        (role.password or "").encode(), role.name.encode(), b"scram-sha-256"
    ).decode()


def heartbeat_changes(address: DatabaseAddress, backup_user: str) -> list[Change]:
    """Whether the heartbeat is missing in the application's database, or the backup role may not write it."""
    with connect(address, read_only=True) as connection:
        query: LiteralString = """
            SELECT has_function_privilege(r.oid, to_regprocedure('clickview_recovery.beat()'), 'EXECUTE')
                   AND has_schema_privilege(r.oid, to_regnamespace('clickview_recovery'), 'USAGE')
            FROM pg_roles r WHERE rolname = %s"""
        row = connection.execute(query, (backup_user,)).fetchone()
    why = "an idle site stays recoverable to every moment, and a loss can be measured"
    return [] if row and row[0] else [Change("create the heartbeat table", why)]


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
        known = is_there(connection, reader_user)
        can = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'amcheck'").fetchone() is not None
        found = connection.execute(_INDEX_CHECK).fetchone()
        allowed = known and found is not None and _may_execute(connection, reader_user, found[0])
    if allowed or not can:
        return []
    return [Change(f"install amcheck and let {reader_user} use it", "indexes of the live database can be checked")]


def apply_index_check(address: DatabaseAddress, reader_user: str) -> None:
    """Install amcheck in the application's database for the checks. Idempotent."""
    with connect(address) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        schema = one_row(connection, _INDEX_CHECK)[1]
        grant = sql.SQL("GRANT EXECUTE ON FUNCTION {}(regclass) TO {}")
        connection.execute(grant.format(sql.Identifier(schema, "bt_index_check"), sql.Identifier(reader_user)))


def connect_changes(address: DatabaseAddress, roles: Sequence[Role], databases: Sequence[str]) -> list[Change]:
    """Which databases would not let these roles in: by default every role may connect, but PUBLIC may have lost it."""
    with connect(address, read_only=True) as connection:
        return [
            Change(f"let {role.name} connect to database {name}", "not every role may, there")
            for role in roles
            for name in databases
            if not _may_connect(connection, role.name, name)
        ]


def apply_connect(address: DatabaseAddress, roles: Sequence[Role], databases: Sequence[str]) -> None:
    """Let these roles connect to these databases, where they may not by any other right. Idempotent."""
    with connect(address) as connection:
        for role in roles:
            for name in databases:
                if not _may_connect(connection, role.name, name):
                    grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
                    connection.execute(grant.format(sql.Identifier(name), sql.Identifier(role.name)))


def may_connect(address: DatabaseAddress, role: str, database: str) -> bool:
    """Whether a role has the right to connect to a database."""
    with connect(address, read_only=True) as connection:
        return _may_connect(connection, role, database)


def _may_connect(connection: Connection, role: str, database: str) -> bool:
    known = is_there(connection, role)
    row = connection.execute(
        "SELECT has_database_privilege(%s, oid, 'CONNECT') FROM pg_database WHERE datname = %s",
        (role if known else "public", database),
    ).fetchone()
    return row is None or bool(row[0])  # of a database that is not there, who needs it says so


def right_changes(address: DatabaseAddress, backup_user: str) -> list[Change]:
    """Which functions the backup role may not call yet (rights are per database)."""
    with connect(address, read_only=True) as connection:
        known = is_there(connection, backup_user)
        missing = [f for f in _BACKUP_FUNCTIONS if not known or not _may_execute(connection, backup_user, f)]
    return (
        [Change(f"let {backup_user} call {len(missing)} functions", "backups start and end with them")]
        if missing
        else []
    )


def _may_execute(connection: Connection, role: str, function: str | int) -> bool:
    return bool(one_row(connection, "SELECT has_function_privilege(%s, %s, 'EXECUTE')", (role, function))[0])


def apply_rights(address: DatabaseAddress, backup_user: str) -> None:
    """Let the backup role call what a backup needs. Idempotent."""
    with connect(address) as connection:
        for function in _BACKUP_FUNCTIONS:
            call = sql.SQL(function)
            connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(call, sql.Identifier(backup_user)))


def _purpose(role: Role) -> str:
    if role.bypass_row_security:
        return "the data checks see every row past row level security and write none"
    return "backups and the heartbeat work without a superuser"
