"""The rows of one table, copied where pg_restore could not: with names found as the application finds them."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.facts import DatabaseAddress

_LOOK_SECONDS = 300.0  # many tables on a busy machine
_TABLE: LiteralString = """
SELECT n.nspname::text, c.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s
"""
_TABLES: LiteralString = """
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""


def copy_rows(source: DatabaseAddress, into: DatabaseAddress, oid: int, *, search_path: str, seconds: float) -> None:
    """Copy the rows of the table that has this oid at the source into one that is still empty.

    Raises: VerificationFailed when one of them is refused; then the table stays empty.
    """
    with (
        connect(source, statement_seconds=seconds, read_only=True) as reading,
        connect(into, statement_seconds=seconds) as writing,
    ):
        _look_in(reading, "pg_catalog")
        schema, name, columns = one_row(reading, _TABLE, (oid,))
        table: sql.Composable = sql.Identifier(schema, name)
        if columns:
            table = sql.SQL("{} ({})").format(table, sql.SQL(", ").join(map(sql.Identifier, columns)))
        _look_in(writing, search_path)
        with (
            reading.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(table)) as rows,
            writing.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as filled,
        ):
            for block in rows:
                filled.write(block)


def unmade_tables(source: DatabaseAddress, into: DatabaseAddress) -> list[str]:
    """The tables and sequences of one database that the other has not."""
    missing = _tables(source) - _tables(into)
    return sorted(f"{schema}.{name}" for schema, name in missing)


def _tables(address: DatabaseAddress) -> set[tuple[str, str]]:
    with connect(address, statement_seconds=_LOOK_SECONDS, read_only=True) as connection:
        _look_in(connection, "pg_catalog")
        return {(row[0], row[1]) for row in connection.execute(_TABLES).fetchall()}


def _look_in(connection: Connection, path: str) -> None:
    # Qualified: the owner of a database may put a function of this name before PostgreSQL's.
    connection.execute("SELECT pg_catalog.set_config('search_path', %s, false)", (path,))
