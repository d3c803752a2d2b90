"""A new database gets what another one is beside its contents: made empty of its kind, given all of it when loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect
from recovery.adapters.postgres.properties import DatabaseProperties, Setting
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
