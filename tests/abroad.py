"""The drills in another country: shell, server and clock as a German administrator in Kathmandu has them (make abroad)."""

from __future__ import annotations

import os

from recovery.adapters.postgres.connection import connect
from sandbox.layout import Sandbox

LOCALE = "de_DE.UTF-8"
# Set by `make abroad`, which sets TZ, LC_ALL and LANGUAGE of the shell as well.
SWITCH = "DRILLS_ABROAD"
SETTINGS = {
    "lc_messages": LOCALE,
    "lc_time": LOCALE,
    "lc_numeric": LOCALE,
    "lc_monetary": LOCALE,
    "timezone": "Asia/Kathmandu",
    "log_timezone": "Asia/Kathmandu",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
}


def shell() -> dict[str, str]:
    """What such a shell has; nothing when we are at home."""
    return {name: os.environ[name] for name in ("TZ", "LC_ALL", "LANGUAGE")} if SWITCH in os.environ else {}


def settle(sandbox: Sandbox) -> None:
    """Have both servers of a sandbox speak and count as their administrator does; nothing when we are at home.

    The locale must be there: localedef -i de_DE -f UTF-8 de_DE.UTF-8
    """
    for server in ("primary", "standby") if SWITCH in os.environ else ():
        with connect(sandbox.admin_address(server)) as connection:
            for name, value in SETTINGS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            connection.execute("SELECT pg_reload_conf()")
