"""What a database says of itself: tables, keys, constraints. The data checks are made from it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(identifier: str) -> str:
    """A name as SQL takes it literally."""
    return '"' + identifier.replace('"', '""') + '"'


def spoken(identifier: str) -> str:
    """A name as people read it, and SQL takes it: plain, or in quotes; on one line whatever it holds.

    Two names are never written alike, nor is one of two parts like one of three.
    """
    if _PLAIN.fullmatch(identifier):
        return identifier
    if not any(map(_unseen, identifier)):
        return quoted(identifier)
    escaped = identifier.replace("\\", "\\\\")
    return "U&" + quoted("".join(f"\\+{ord(one):06X}" if _unseen(one) else one for one in escaped))


def _unseen(letter: str) -> bool:
    """Whether a letter is one that nobody sees, or that ends a line."""
    return letter != " " and unicodedata.category(letter)[0] in "CZ"


@dataclass(frozen=True)
class TableName:
    """A table and its schema."""

    schema: str
    name: str

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def source(self, *, only: bool) -> str:
        """What stands after FROM. `only`: without the rows of tables that inherit from it."""
        return f"ONLY {self.sql}" if only else self.sql

    def __str__(self) -> str:
        return spoken(self.name) if self.schema == "public" else f"{spoken(self.schema)}.{spoken(self.name)}"


def table_name(text: str) -> TableName:
    """`users` or `public.users` as a table name."""
    schema, _, name = text.rpartition(".")
    return TableName(schema or "public", name)


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    type_name: str
    not_null: bool
    validated: bool = True  # NOT NULL NOT VALID: only rows that came after it were looked at

    @property
    def kind(self) -> str:
        """Its type without a length or a precision."""
        return re.sub(r"\(.*?\)", "", self.type_name)


@dataclass(frozen=True)
class Table:
    """One table. `logged`: its rows are in the WAL, so a backup brings them back.

    `only`: others inherit from it, so it must be read with ONLY, as PostgreSQL does for its keys. Never so of a
    partitioned table: its rows lie in its partitions.
    """

    name: TableName
    columns: tuple[Column, ...]
    owner: str = ""
    row_security: bool = False
    logged: bool = True
    only: bool = False
    oid: int = 0  # one that was dropped and made again has another; 0 where it was not noted

    @property
    def source(self) -> str:
        """What stands after FROM for its own rows."""
        return self.name.source(only=self.only)

    def has(self, *names: str) -> bool:
        return set(names) <= {column.name for column in self.columns}


@dataclass(frozen=True)
class ForeignKey:
    """Rows of `table` point at rows of `parent`.

    `operators` compare the columns, parent's first, each with its schema (`pg_catalog.=`); none where nobody said.
    `period`: the last column is a span of time, which several rows of the parent may cover together.
    """

    name: str
    table: TableName
    columns: tuple[str, ...]
    parent: TableName
    parent_columns: tuple[str, ...]
    validated: bool = True  # NOT VALID: only rows that came after the key were looked at
    operators: tuple[str, ...] = ()
    period: bool = False


@dataclass(frozen=True)
class UniqueKey:
    """A primary key or unique index. `terms` are its columns or expressions as SQL.

    `columns` names them when they are all plain columns of a key over the whole table.
    """

    name: str
    table: TableName
    columns: tuple[str, ...]
    terms: tuple[str, ...] = ()
    predicate: str | None = None
    nulls_distinct: bool = True
    valid: bool = True  # an invalid index keeps nobody from writing a second one


@dataclass(frozen=True)
class CheckConstraint:
    """A condition that every row meets, as SQL."""

    name: str
    table: TableName
    condition: str
    validated: bool = True


@dataclass(frozen=True)
class Sequence:
    """A sequence that fills a column."""

    name: TableName
    table: TableName
    column: str


@dataclass(frozen=True)
class Index:
    """An index, whether it may be used, and how it was made."""

    name: TableName
    table: TableName
    valid: bool
    definition: str


@dataclass(frozen=True)
class Policy:
    """A policy of row level security, in one line."""

    name: str
    table: TableName
    definition: str


@dataclass(frozen=True)
class Extension:
    """An extension and its version."""

    name: str
    version: str


@dataclass(frozen=True)
class Catalog:
    """One database as its system catalog describes it."""

    database: str
    server_version: int
    in_recovery: bool
    superuser: bool
    tables: tuple[Table, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    unique_keys: tuple[UniqueKey, ...] = ()
    check_constraints: tuple[CheckConstraint, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    indexes: tuple[Index, ...] = ()
    policies: tuple[Policy, ...] = ()
    extensions: tuple[Extension, ...] = ()

    def table(self, name: TableName) -> Table | None:
        return self._by_name.get(name)

    def only(self, name: TableName) -> bool:
        """Whether a table must be read with ONLY."""
        table = self.table(name)
        return table is not None and table.only

    def source(self, name: TableName) -> str:
        """What stands after FROM for a table's own rows; one that is not listed is a partition, and has no heirs."""
        return name.source(only=self.only(name))

    @cached_property
    def _by_name(self) -> dict[TableName, Table]:
        return {table.name: table for table in self.tables}

    def has(self, name: TableName, *columns: str) -> bool:
        """Whether there is such a table with these columns."""
        table = self.table(name)
        return table is not None and table.has(*columns)
