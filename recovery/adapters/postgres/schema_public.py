"""The schema public: every new database has it, and a dump does not say that the dumped one had none."""

from __future__ import annotations

from recovery.adapters.postgres.connection import connect
from recovery.facts import DatabaseAddress


def drop_public_where_gone(source: DatabaseAddress, into: DatabaseAddress) -> None:
    """Drop the schema public of an empty database that is loaded from one that has none."""
    with connect(source, read_only=True) as connection:
        there = connection.execute("SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public'").fetchone()
    if there is None:
        with connect(into) as connection:
            connection.execute("DROP SCHEMA IF EXISTS public")
