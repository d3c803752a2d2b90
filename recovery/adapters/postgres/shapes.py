"""How large tables are and which keys can be read from an index alone, as the catalog knows it."""

from __future__ import annotations

from collections import defaultdict
from typing import LiteralString

from psycopg import errors

from recovery.adapters.postgres.connection import Connection
from recovery.adapters.postgres.looks import TableShape
from recovery.catalog import TableName

# A table that was never vacuumed has no size in the catalog: its file is asked, and that waits for locks.
_SIZES: LiteralString = """
SELECT n.nspname, c.relname, CASE
    WHEN c.relkind <> 'r' THEN NULL
    WHEN c.relpages > 0 THEN c.relpages
    ELSE {otherwise} END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
_FILE: LiteralString = "pg_relation_size(c.oid) / current_setting('block_size')::int"

# An index spares the table only where the pages of the table are marked as visible to all; elsewhere it costs more.
_KEYS: LiteralString = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY u.i)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid AND c.relkind = 'r' AND c.relallvisible >= c.relpages * 0.9
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = i.relam AND m.amname = 'btree'
CROSS JOIN unnest(x.indkey::int2[]) WITH ORDINALITY u(number, i)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
WHERE x.indisvalid AND x.indisready AND x.indislive AND x.indpred IS NULL AND x.indexprs IS NULL
  AND u.i <= x.indnkeyatts AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY x.indexrelid, n.nspname, c.relname
"""


def read_shapes(connection: Connection, *, with_keys: bool) -> dict[TableName, TableShape]:
    """The shape of every table. `with_keys`: also what could be read from indexes."""
    keys: dict[TableName, set[tuple[str, ...]]] = defaultdict(set)
    for schema, table, columns in connection.execute(_KEYS).fetchall() if with_keys else ():
        keys[TableName(schema, table)].add(tuple(columns))
    names = ((TableName(schema, table), pages) for schema, table, pages in _sizes(connection))
    return {name: TableShape(pages, frozenset(keys[name])) for name, pages in names}


def _sizes(connection: Connection) -> list[tuple[str, str, int | None]]:
    try:
        connection.execute("SET lock_timeout = '2s'")
        rows = connection.execute(_SIZES.format(otherwise=_FILE)).fetchall()
    except errors.LockNotAvailable:
        rows = connection.execute(_SIZES.format(otherwise="NULL")).fetchall()
    return [(schema, table, pages) for schema, table, pages in rows]
