"""Conditions (CHECK) of a database that is dumped: loaded without being asked, and asked when all is there.

A condition may call a function that reads another table, or finds it by the search_path; and rows may have broken it at
the source already. Asked row by row while the tables are filled, each of these would end the load.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import errors, sql

from recovery.adapters.postgres.connection import Connection, connect
from recovery.facts import DatabaseAddress, LeftOut

# First, and qualified: what this database calls by names of PostgreSQL's is not run.
_OURS: LiteralString = "SELECT pg_catalog.set_config('search_path', %s, false)"
_MARK: LiteralString = """
UPDATE pg_constraint SET convalidated = false
WHERE contype = 'c' AND convalidated AND oid >= 16384 RETURNING oid
"""
_UNMARK: LiteralString = "UPDATE pg_constraint SET convalidated = true WHERE oid = ANY(%s)"
_UNPROVEN: LiteralString = """
SELECT CASE WHEN c.contypid = 0 THEN 'TABLE' ELSE 'DOMAIN' END, n.nspname::text,
       coalesce(r.relname, t.typname)::text, c.conname::text
FROM pg_constraint c LEFT JOIN pg_class r ON r.oid = c.conrelid LEFT JOIN pg_type t ON t.oid = c.contypid
JOIN pg_namespace n ON n.oid = coalesce(r.relnamespace, t.typnamespace)
WHERE c.contype = 'c' AND NOT c.convalidated ORDER BY c.oid
"""


@contextmanager
def taken_as_unproven(copy: DatabaseAddress) -> Iterator[None]:
    """For as long as the block runs, a dump of the copy makes its conditions after the rows, and does not ask them."""
    with _inside(copy) as connection:
        marked = [row[0] for row in connection.execute(_MARK).fetchall()]
    try:
        yield
    finally:
        with _inside(copy) as connection:
            connection.execute(_UNMARK, (marked,))


def prove_conditions(
    copy: DatabaseAddress, loaded: DatabaseAddress, search_path: str, seconds: float
) -> Iterator[LeftOut]:
    """Ask each condition that the copy holds for proven; one that its own rows break stays for new rows, and is named."""
    with _inside(copy) as connection:
        before = set(connection.execute(_UNPROVEN).fetchall())
    with _inside(loaded, seconds) as connection:
        wanted = [row for row in connection.execute(_UNPROVEN).fetchall() if row not in before]
        connection.execute(_OURS, (search_path,))
        for kind, schema, owner, name in wanted:
            words = sql.SQL(
                "ALTER TABLE {} VALIDATE CONSTRAINT {}" if kind == "TABLE" else "ALTER DOMAIN {} VALIDATE CONSTRAINT {}"
            )
            statement = words.format(sql.Identifier(schema, owner), sql.Identifier(name))
            try:
                connection.execute(statement)
            except psycopg.DatabaseError as error:
                # psycopg calls many a refusal operational that is one of the condition: a view that was never filled, …
                if connection.broken or isinstance(error, errors.QueryCanceled):
                    raise
                what = f"CHECK {schema}.{owner} {name}"
                if kind == "DOMAIN" and isinstance(
                    error, errors.FeatureNotSupported
                ):  # within arrays, composites, ranges
                    yield LeftOut(what, f"is asked of new values only, and nothing else can be: {_said(error)}")
                else:
                    why = f"holds for new rows only: {_said(error)}"
                    yield LeftOut(what, why, statement.as_string(connection))


def _said(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split())


@contextmanager
def _inside(address: DatabaseAddress, seconds: float = 120) -> Iterator[Connection]:
    with connect(address, statement_seconds=seconds) as connection:
        connection.execute(_OURS, ("pg_catalog",))
        yield connection
