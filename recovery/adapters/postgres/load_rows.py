"""The rows of one table, copied where pg_restore could not: with names found as the application finds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString, cast

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.facts import DatabaseAddress, LeftOut

_LOOK_SECONDS = 300.0  # many tables on a busy machine
_TABLE: LiteralString = """
SELECT n.nspname::text, c.relname::text,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum),
       (SELECT e.extcondition[array_position(e.extconfig, c.oid)] FROM pg_extension e WHERE c.oid = ANY(e.extconfig))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s
"""
_TABLES: LiteralString = """
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_RELATIONS: LiteralString = """
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S')
"""
_OF_EXTENSIONS: LiteralString = """
SELECT c.relkind::text, n.nspname::text, c.relname::text, e.extname::text
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    AND c.relkind IN ('r', 'S') AND c.relpersistence = 'p' AND NOT c.oid = ANY(coalesce(e.extconfig, '{}'))
ORDER BY 2, 3
"""
# First how much there is, then what tells two of them apart.
_HELD: dict[str, LiteralString] = {
    "r": "SELECT count(*), sum(hashtextextended(ROW(x.*)::text, 0)::numeric) FROM ONLY {} x",
    "S": "SELECT is_called, last_value FROM {}",
}


def copy_rows(source: DatabaseAddress, into: DatabaseAddress, oid: int, *, search_path: str, seconds: float) -> None:
    """Copy the rows of the table that has this oid at the source into one that is still empty.

    Raises: VerificationFailed when one of them is refused; then the table stays empty.
    """
    with (
        connect(source, statement_seconds=seconds, read_only=True) as reading,
        connect(into, statement_seconds=seconds) as writing,
    ):
        _look_in(reading, "pg_catalog")
        schema, name, columns, condition = one_row(reading, _TABLE, (oid,))
        table: sql.Composable = sql.Identifier(schema, name)
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        # Of a table of an extension only what the extension does not bring itself, in its own words.
        chosen = sql.SQL("(SELECT {} FROM ONLY {} {})").format(
            listed, table, sql.SQL(cast(LiteralString, condition or ""))
        )
        if columns:
            table = sql.SQL("{} ({})").format(table, listed)
        _look_in(writing, search_path)
        with (
            reading.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(chosen if condition else table)) as rows,
            writing.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as filled,
        ):
            for block in rows:
                filled.write(block)


def rows_of_extensions(source: DatabaseAddress, into: DatabaseAddress, seconds: float) -> list[LeftOut]:
    """The tables and sequences of extensions that pg_dump passes over, and that the extensions did not fill alike."""
    with (
        connect(source, statement_seconds=seconds, read_only=True) as reading,
        connect(into, statement_seconds=seconds, read_only=True) as there,
    ):
        for connection in (reading, there):
            _look_in(connection, "pg_catalog")
        return list(_unlike(reading, there))


def _unlike(reading: Connection, there: Connection) -> Iterator[LeftOut]:
    made = {(row[0], row[1]) for row in there.execute(_RELATIONS).fetchall()}
    for kind, schema, name, extension in reading.execute(_OF_EXTENSIONS).fetchall():
        held = sql.SQL(_HELD[kind]).format(sql.Identifier(schema, name))
        at_source = reading.execute(held).fetchone()
        if not at_source or not at_source[0]:
            continue
        if (schema, name) not in made or there.execute(held).fetchone() != at_source:
            what, lost = ("TABLE", f"{at_source[0]} rows are") if kind == "r" else ("SEQUENCE", "position is")
            why = f"belongs to extension {extension}, so PostgreSQL does not dump it: its {lost} not carried over"
            yield LeftOut(f"{what} {schema}.{name}", why, of_rows=True)


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
