"""The settings of a server that archiving needs: what they are, where they come from, and setting them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from recovery.adapters.postgres.connection import Connection, connect
from recovery.errors import VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.server_setting import ServerSetting
from recovery.waiting import wait_until

_RELOAD_SECONDS = 30.0  # moments, on a quiet machine
# The last line about a setting is the one that counts; postgresql.auto.conf, which ALTER SYSTEM writes, is read last.
_QUERY = """
SELECT s.name, s.setting, s.context = 'postmaster', s.source, coalesce(f.setting, s.boot_val)
FROM pg_settings s
LEFT JOIN (SELECT DISTINCT ON (lower(name)) lower(name) AS name, setting
           FROM pg_file_settings ORDER BY lower(name), seqno DESC) f ON f.name = lower(s.name)
WHERE s.name = ANY(%s)
"""


def read_settings(address: DatabaseAddress, names: Iterable[str]) -> dict[str, ServerSetting]:
    """These settings of a server, as far as it knows them; needs a superuser."""
    with connect(address, read_only=True) as connection:
        return _read(connection, list(names))


def apply_settings(address: DatabaseAddress, wanted: Mapping[str, str]) -> None:
    """Set server settings and reload; what needs a restart takes effect with the next one. Idempotent.

    Raises: VerificationFailed when one is not in effect although no restart is needed for it.
    """
    with connect(address) as connection:
        for name, value in wanted.items():
            statement = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")
        if late := wait_until(lambda: _late(connection, wanted), _RELOAD_SECONDS, so=lambda one: not one, pause=0.2):
            raise VerificationFailed(
                f"{late[0].name} was set, but the server does not use it: {_why(connection, late[0])}",
                "correct that, then run this again",
            )


def _read(connection: Connection, names: list[str]) -> dict[str, ServerSetting]:
    rows = connection.execute(_QUERY, (names,)).fetchall()
    return {row[0]: ServerSetting(*row) for row in rows}


def _late(connection: Connection, wanted: Mapping[str, str]) -> list[ServerSetting]:
    """What a reload should have put into effect and has not."""
    found = _read(connection, list(wanted)).values()
    return [one for one in found if not one.needs_restart and one.in_use and one.value != wanted[one.name]]


def _why(connection: Connection, setting: ServerSetting) -> str:
    row = connection.execute(
        "SELECT error, sourcefile, sourceline FROM pg_file_settings f"
        " WHERE error IS NOT NULL AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = f.name AND pending_restart)"
    ).fetchone()
    return f"{row[1]} line {row[2]}: {row[0]}" if row else f"it has {setting.value} from the {setting.source}"
