"""What a database is beside its contents: owner, encoding, locale, rights, settings; read from outside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import LiteralString

from recovery.adapters.postgres.connection import connect
from recovery.errors import VerificationFailed
from recovery.facts import DatabaseAddress


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
