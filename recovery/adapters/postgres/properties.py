"""What a database is beside its contents: owner, encoding, locale, rights, settings. Read in a copy, given to a new one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect
from recovery.adapters.postgres.event_triggers import kept_still
from recovery.errors import VerificationFailed
from recovery.facts import DatabaseAddress, LeftOut

# Their values are lists that are kept as they were written; between quotes they would be one long name.
_LISTS = (
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "temp_tablespaces",
)
_IN_LIST = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
_NO_LIMIT = -1


@dataclass(frozen=True)
class Grant:
    """A right on a database; `role` is None for PUBLIC."""

    role: str | None
    right: str
    may_grant: bool


@dataclass(frozen=True)
class Setting:
    """ALTER DATABASE … SET, or, with a role, ALTER ROLE … IN DATABASE … SET."""

    role: str | None
    name: str
    value: str


@dataclass(frozen=True)
class DatabaseProperties:
    """A database without its contents. `grants` is None where nobody ever changed them."""

    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str | None
    locale_rules: str | None
    connection_limit: int
    comment: str | None
    labels: tuple[tuple[str, str], ...]
    grants: tuple[Grant, ...] | None
    settings: tuple[Setting, ...]


def read_properties(address: DatabaseAddress) -> DatabaseProperties:
    """Read what this database is beside its contents, from outside: it may name functions of its own before PostgreSQL's.

    Raises: VerificationFailed when there is no such database.
    """
    of = (address.name,)
    with connect(replace(address, name=""), read_only=True) as connection:
        row = connection.execute(_DATABASE, of).fetchone()
        if row is None:
            raise VerificationFailed(
                f"there is no database {address.name} on {address.host}:{address.port}",
                "choose a moment at which it was there: --target-time",
            )
        owner, encoding, comment, known = row
        grants = connection.execute(_GRANTS, of).fetchall()
        settings = connection.execute(_SETTINGS, of).fetchall()
        labels = connection.execute(_LABELS, of).fetchall()
    return DatabaseProperties(
        owner=owner,
        encoding=encoding,
        collate=known["datcollate"],
        ctype=known["datctype"],
        provider=known["datlocprovider"],
        locale=known.get("daticulocale") or known.get("datlocale"),  # its name since 17
        locale_rules=known.get("daticurules"),
        connection_limit=known["datconnlimit"],
        comment=comment,
        labels=tuple((row[0], row[1]) for row in labels),
        grants=tuple(Grant(*row) for row in grants) if known["closed"] else None,
        settings=tuple(Setting(row[0], *row[1].split("=", 1)) for row in settings),
    )


def read_search_path(address: DatabaseAddress, user: str) -> str:
    """Where the sessions of this role in this database look for a name without a schema."""
    with connect(replace(address, name=""), read_only=True) as connection:
        row = connection.execute(_SEARCH_PATH, (address.name, user)).fetchone()
    quoted = '"' + user.replace('"', '""') + '"'
    return str(row[0] if row else '"$user", public').replace('"$user"', quoted)


def creation(name: str, like: DatabaseProperties) -> sql.Composed:
    """The statement that makes an empty database of this kind that nobody can enter yet."""
    words = [
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false").format(sql.Identifier(name)),
        sql.SQL("ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(like.encoding, like.collate, like.ctype),
    ]
    if like.provider == "c":  # said, too: the server's own may be another
        words.append(sql.SQL("LOCALE_PROVIDER {}").format(sql.SQL("libc")))
    if like.provider == "i":
        words.append(sql.SQL("LOCALE_PROVIDER icu ICU_LOCALE {}").format(like.locale))
    if like.provider == "b":
        words.append(sql.SQL("LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(like.locale))
    if like.locale_rules:
        words.append(sql.SQL("ICU_RULES {}").format(like.locale_rules))
    return sql.SQL(" ").join(words)


def hand_over(server: DatabaseAddress, name: str, new_name: str, like: DatabaseProperties) -> tuple[LeftOut, ...]:
    """Give a loaded database its owner, rights, settings and final name, all at once; what could not be given, named.

    Nobody but superusers could enter it before: at no moment is it open to more people than the restored one was.
    Raises: VerificationFailed when a database of that name exists.
    """
    left_out: list[LeftOut] = []
    identifier, renamed = sql.Identifier(name), sql.Identifier(new_name)
    with connect(server, statement_seconds=120) as connection:
        # A monitor that enters every database must not undo the work of hours: one that is in use cannot be renamed.
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(identifier))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        with connection.transaction():
            by_hand = _statements(renamed, like, by_hand=True)
            for (what, statement, prepared), (_, typed, _) in zip(_statements(identifier, like), by_hand, strict=True):
                if why := _refused(connection, statement, prepared):
                    left_out.append(LeftOut(what, why, typed.as_string(connection)))
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(identifier, renamed))
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(renamed))
    return tuple(left_out)


def _refused(connection: Connection, statement: sql.Composed, prepared: tuple[str, str] | None) -> str:
    """Execute a statement of a transaction that goes on whatever comes of it; why it was refused, or nothing."""
    try:
        with connection.transaction():
            if prepared:
                connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", prepared)
            connection.execute(statement)
    except psycopg.DatabaseError as error:
        return str(error.diag.message_primary or error)
    return ""


_Statement = tuple[str, sql.Composed, tuple[str, str] | None]


def _statements(name: sql.Identifier, like: DatabaseProperties, *, by_hand: bool = False) -> Iterator[_Statement]:
    """What is to be given: its name, the statement, and a setting that it takes from the session (never `by_hand`)."""
    owner = sql.Identifier(like.owner)
    yield "owner of the database", sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner), None
    if like.connection_limit != _NO_LIMIT:
        limited = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, like.connection_limit)
        yield "connection limit of the database", limited, None
    if like.comment is not None:
        yield "comment on the database", sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, like.comment), None
    for provider, label in like.labels:
        labelled = sql.SQL("SECURITY LABEL FOR {} ON DATABASE {} IS {}").format(sql.Identifier(provider), name, label)
        yield "security label of the database", labelled, None
    for one in like.settings:
        yield _setting(name, one, by_hand=by_hand)
    if like.grants is None:
        yield "rights on the database", sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(name), None
        return
    yield "rights on the database", sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(name, owner), None
    for grant in like.grants:
        role = sql.SQL("PUBLIC") if grant.role is None else sql.Identifier(grant.role)
        granted = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(_RIGHTS[grant.right], name, role)
        yield "rights on the database", granted + sql.SQL(" WITH GRANT OPTION" if grant.may_grant else ""), None


def _setting(name: sql.Identifier, one: Setting, *, by_hand: bool) -> _Statement:
    where: sql.Composable = sql.SQL("ALTER DATABASE {}").format(name)
    if one.role is not None:
        where = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(sql.Identifier(one.role), name)
    what = f"setting {one.name} of the database"
    # A setting of an extension has a dot in its name, which stands between two identifiers.
    variable = sql.SQL(".").join(map(sql.Identifier, one.name.split(".")))
    if one.name in _LISTS and by_hand:
        return what, sql.SQL("{} SET {} TO {}").format(where, variable, _quoted(one)), None
    if one.name in _LISTS:
        return what, sql.SQL("{} SET {} FROM CURRENT").format(where, variable), (one.name, one.value)
    return what, sql.SQL("{} SET {} TO {}").format(where, variable, one.value), None


def _quoted(one: Setting) -> sql.Composable:
    """A list as a person can type it: whatever was stored, each of its names between quotes."""
    folds = not one.name.endswith("_libraries")  # those are names of files
    names = [
        quoted.replace('""', '"') if quoted else plain.lower() if folds else plain
        for quoted, plain in _IN_LIST.findall(one.value)
        if quoted or plain
    ]
    return sql.SQL(", ").join(map(sql.Identifier, names)) if names else sql.SQL("''")


_RIGHTS: dict[str, sql.SQL] = {
    "CONNECT": sql.SQL("CONNECT"),
    "CREATE": sql.SQL("CREATE"),
    "TEMPORARY": sql.SQL("TEMPORARY"),
}
_DATABASE: LiteralString = """
SELECT pg_get_userbyid(d.datdba)::text, pg_encoding_to_char(d.encoding)::text, shobj_description(d.oid, 'pg_database'),
       to_jsonb(d) || jsonb_build_object('closed', d.datacl IS NOT NULL)
FROM pg_catalog.pg_database d WHERE d.datname = %s
"""
_GRANTS: LiteralString = """
SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d, aclexplode(d.datacl) a WHERE d.datname = %s
"""
_SETTINGS: LiteralString = """
SELECT CASE s.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(s.setrole)::text END, unnest(s.setconfig)
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE d.datname = %s
"""
# The order in which PostgreSQL itself prefers them.
_SEARCH_PATH: LiteralString = """
SELECT substr(x, length('search_path=') + 1) FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) x
WHERE starts_with(x, 'search_path=')
    AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = %s))
    AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %s))
ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1
"""
_LABELS: LiteralString = """
SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l
JOIN pg_catalog.pg_database d ON l.classoid = 'pg_catalog.pg_database'::regclass AND l.objoid = d.oid
WHERE d.datname = %s
"""


def drop_subscriptions(connection: Connection) -> None:
    """Drop the subscriptions of the database that this is connected to: with one of them it cannot be dropped.

    Their slots at the publisher belong to the live database, and stay.
    """
    query: LiteralString = """SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
                              WHERE d.datname = current_database()"""
    with kept_still(connection):  # one may forbid it
        for row in connection.execute(query).fetchall():
            name: Any = sql.Identifier(row[0])
            for action in (
                "ALTER SUBSCRIPTION {} DISABLE",
                "ALTER SUBSCRIPTION {} SET (slot_name = NONE)",
                "DROP SUBSCRIPTION {}",
            ):
                connection.execute(sql.SQL(action).format(name))
