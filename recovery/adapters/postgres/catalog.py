"""Read what a database says of itself, for the data checks."""

from __future__ import annotations

from typing import Any, LiteralString

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.catalog import (
    Catalog,
    CheckConstraint,
    Column,
    Extension,
    ForeignKey,
    Index,
    Policy,
    Sequence,
    Table,
    TableName,
    UniqueKey,
)
from recovery.facts import DatabaseAddress

# Ours and the application's: not PostgreSQL's own, no temporary tables, no partitions (their parent speaks for them).
_OURS: LiteralString = """
    n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%%'
    AND n.nspname NOT LIKE 'pg\\_temp%%' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""

# NOT NULL is a constraint of its own since PostgreSQL 18; before, there is none of this kind on a table.
_UNVALIDATED: LiteralString = """
    SELECT FROM pg_constraint k
    WHERE k.conrelid = c.oid AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)
"""

# There are tables without a column.
_ANY: LiteralString = "FILTER (WHERE a.attnum IS NOT NULL)"

_TABLES: LiteralString = f"""
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum) {_ANY},
       array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) {_ANY},
       array_agg(a.attnotnull ORDER BY a.attnum) {_ANY},
       array_agg(NOT EXISTS ({_UNVALIDATED}) ORDER BY a.attnum) {_ANY},
       pg_get_userbyid(c.relowner)::text, c.relrowsecurity, c.relpersistence = 'p',
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid), c.oid::bigint
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE {_OURS}
GROUP BY c.oid, 1, 2 ORDER BY 1, 2
"""

# The column is there since PostgreSQL 18.
_PERIOD: LiteralString = "COALESCE((to_jsonb(k) ->> 'conperiod')::boolean, false)"

_FOREIGN_KEYS: LiteralString = f"""
SELECT k.conname, n.nspname, c.relname,
       (SELECT array_agg(a.attname::text ORDER BY i) FROM unnest(k.conkey) WITH ORDINALITY u(number, i)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number),
       pn.nspname, p.relname,
       (SELECT array_agg(a.attname::text ORDER BY i) FROM unnest(k.confkey) WITH ORDINALITY u(number, i)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number),
       k.convalidated,
       (SELECT array_agg(quote_ident(s.nspname) || '.' || o.oprname ORDER BY i)
        FROM unnest(k.conpfeqop) WITH ORDINALITY u(operator, i)
        JOIN pg_operator o ON o.oid = u.operator JOIN pg_namespace s ON s.oid = o.oprnamespace),
       {_PERIOD}
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {_OURS}
ORDER BY 2, 3, 1
"""

_UNIQUE_KEYS: LiteralString = f"""
SELECT i.relname, n.nspname, c.relname,
       CASE WHEN x.indpred IS NULL AND x.indexprs IS NULL THEN
         (SELECT array_agg(a.attname::text ORDER BY u.i) FROM unnest(x.indkey::int2[]) WITH ORDINALITY u(number, i)
          JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.number WHERE u.i <= x.indnkeyatts) END,
       (SELECT array_agg(pg_get_indexdef(i.oid, g, true) ORDER BY g) FROM generate_series(1, x.indnkeyatts) g),
       pg_get_expr(x.indpred, x.indrelid), NOT COALESCE((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false),
       x.indisvalid AND x.indisready AND x.indislive
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE x.indisunique AND {_OURS}
ORDER BY 2, 3, 1
"""

_CHECK_CONSTRAINTS: LiteralString = f"""
SELECT k.conname, n.nspname, c.relname, pg_get_expr(k.conbin, k.conrelid), k.convalidated
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'c' AND {_OURS}
ORDER BY 2, 3, 1
"""

_SEQUENCES: LiteralString = f"""
SELECT sn.nspname, s.relname, n.nspname, c.relname, a.attname
FROM pg_class s
JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 AND NOT q.seqcycle
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND {_OURS}
ORDER BY 1, 2
"""

# Constants in conditions, and names of types, are written as the session's settings say.
_PLAIN_WORDS: LiteralString = """
SELECT set_config(name, value, false) FROM (VALUES ('timezone', 'UTC'), ('datestyle', 'ISO, MDY'),
    ('intervalstyle', 'postgres'), ('extra_float_digits', '1'), ('search_path', 'pg_catalog')) s (name, value)
"""

_INDEXES: LiteralString = f"""
SELECT ni.nspname, i.relname, n.nspname, c.relname, x.indisvalid AND x.indisready AND x.indislive,
       pg_get_indexdef(i.oid)
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace ni ON ni.oid = i.relnamespace
JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS}
ORDER BY 1, 2
"""

_POLICIES: LiteralString = """
SELECT policyname::text, schemaname::text, tablename::text,
       concat_ws(' ', permissive, cmd, 'TO', array_to_string(roles, ','), 'USING (' || qual || ')',
                 'WITH CHECK (' || with_check || ')')
FROM pg_policies ORDER BY 2, 3, 1
"""


def read_catalog(address: DatabaseAddress) -> Catalog:
    """Everything that the data checks are made from; a few quick queries.

    Raises: TargetUnreachable, SettingsInvalid.
    """
    with connect(address, read_only=True) as connection:
        return catalog_of(connection, address.name)


def catalog_of(connection: Connection, database: str) -> Catalog:
    """The catalog as this connection's snapshot shows it, in words that do not hang on who asks, and where."""
    connection.execute(_PLAIN_WORDS)
    catalog = _catalog(connection, database)
    # Conditions are asked with the path of the role, at the source as in a copy: functions may need it.
    connection.execute("RESET search_path")
    return catalog


def _catalog(connection: Connection, database: str) -> Catalog:
    version, in_recovery, superuser = _server(connection)
    return Catalog(
        database,
        version,
        in_recovery,
        superuser,
        tables=_tables(connection),
        foreign_keys=_foreign_keys(connection),
        unique_keys=_unique_keys(connection),
        check_constraints=tuple(
            CheckConstraint(name, TableName(schema, table), condition, validated)
            for name, schema, table, condition, validated in _rows(connection, _CHECK_CONSTRAINTS)
        ),
        sequences=tuple(
            Sequence(TableName(sequence_schema, name), TableName(schema, table), column)
            for sequence_schema, name, schema, table, column in _rows(connection, _SEQUENCES)
        ),
        indexes=tuple(
            Index(TableName(schema, name), TableName(table_schema, table), valid, definition)
            for schema, name, table_schema, table, valid, definition in _rows(connection, _INDEXES)
        ),
        policies=tuple(
            Policy(name, TableName(schema, table), definition)
            for name, schema, table, definition in _rows(connection, _POLICIES)
        ),
        extensions=tuple(
            Extension(name, version)
            for name, version in _rows(connection, "SELECT extname::text, extversion FROM pg_extension ORDER BY 1")
        ),
    )


def _server(connection: Connection) -> tuple[int, bool, bool]:
    version, in_recovery, superuser = one_row(
        connection,
        "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),"
        " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
    )
    return version, in_recovery, superuser


def _tables(connection: Connection) -> tuple[Table, ...]:
    return tuple(
        Table(
            TableName(schema, name),
            tuple(Column(*column) for column in zip(*(part or () for part in columns), strict=True)),
            owner,
            row_security,
            logged,
            only,
            oid,
        )
        for schema, name, *columns, owner, row_security, logged, only, oid in _rows(connection, _TABLES)
    )


def _foreign_keys(connection: Connection) -> tuple[ForeignKey, ...]:
    rows = _rows(connection, _FOREIGN_KEYS)
    return tuple(
        ForeignKey(
            name,
            TableName(schema, table),
            tuple(columns),
            TableName(p_schema, parent),
            tuple(p_columns),
            validated,
            operators=tuple(operators or ()),
            period=period,
        )
        for name, schema, table, columns, p_schema, parent, p_columns, validated, operators, period in rows
    )


def _unique_keys(connection: Connection) -> tuple[UniqueKey, ...]:
    return tuple(
        UniqueKey(name, TableName(schema, table), tuple(columns or ()), tuple(terms), predicate, distinct, valid)
        for name, schema, table, columns, terms, predicate, distinct, valid in _rows(connection, _UNIQUE_KEYS)
    )


def _rows(connection: Connection, sql: LiteralString) -> list[tuple[Any, ...]]:
    # %% is written for the sake of parameters; here there are none.
    return connection.execute(sql, ()).fetchall()
