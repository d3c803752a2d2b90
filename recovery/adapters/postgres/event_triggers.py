"""What a database runs at each change of its definitions (event triggers): it would run as whoever changes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

from psycopg import sql

from recovery.adapters.postgres.connection import Connection

_ENABLED: LiteralString = """
SELECT evtname::text, CASE evtenabled WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END
FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'
"""
_SET: dict[str, LiteralString] = {
    word: "ALTER EVENT TRIGGER {} " + word for word in ("DISABLE", "ENABLE", "ENABLE REPLICA", "ENABLE ALWAYS")
}


@contextmanager
def kept_still(connection: Connection) -> Iterator[None]:
    """A transaction in which no event trigger of this database fires; at its end all are as they were."""
    with connection.transaction():
        triggers = connection.execute(_ENABLED).fetchall()
        for name, _ in triggers:
            connection.execute(sql.SQL(_SET["DISABLE"]).format(sql.Identifier(name)))
        yield
        for name, enabled in triggers:
            connection.execute(sql.SQL(_SET[enabled]).format(sql.Identifier(name)))
