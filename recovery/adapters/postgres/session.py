"""What a session of ours runs under, whatever the server, its databases and its roles are set to."""

from __future__ import annotations

from collections.abc import Mapping

# ALTER SYSTEM, ALTER DATABASE … SET and ALTER ROLE … SET are made for applications. A server's start-up options
# for one session win over all of them.
_OURS = {
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",  # serializable is refused by a server that replays
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "row_security": "off",  # a hidden row is an error and never a silent gap
    "datestyle": "ISO",
    "intervalstyle": "postgres",
}
# A library that a restored copy's database wants in every session may do anything, or be missing on this machine.
_BARE = {"session_preload_libraries": "", "local_preload_libraries": ""}


def session_options(changed: Mapping[str, str] | None = None, *, bare: bool = False) -> str:
    """The start-up options of a session, as libpq and PGOPTIONS take them. `bare`: preload nothing (superusers only)."""
    wanted = _OURS | (_BARE if bare else {}) | dict(changed or {})
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in wanted.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
