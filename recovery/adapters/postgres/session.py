"""What a session of ours runs under, whatever the server, its databases and its roles are set to."""

from __future__ import annotations

import re
from collections.abc import Mapping

# ALTER SYSTEM, ALTER DATABASE … SET and ALTER ROLE … SET are made for applications. A server's start-up options
# for one session win over all of them.
_OURS = {
    "role": "none",  # a session that becomes the database's owner may do less than we were granted
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",  # serializable is refused by a server that replays
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # What is read: all rows, …
    "row_security": "off",  # a hidden row is an error and never a silent gap
    "constraint_exclusion": "off",  # rows that break a condition would be passed over by who looks for them
    "gin_fuzzy_search_limit": "0",
    # … each value as it is, in words that any other session understands, …
    "extra_float_digits": "3",
    "lc_monetary": "C",
    "bytea_output": "hex",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "quote_all_identifiers": "off",
    # … and written as it was read.
    "array_nulls": "on",
    "xmloption": "content",
    "transform_null_equals": "off",
    "standard_conforming_strings": "on",
    "default_tablespace": "",
}
# Only a superuser may ask for these; anybody else who does is not let in.
_OF_SUPERUSERS = {
    "zero_damaged_pages": "off",  # a page that is broken would be taken for an empty one
    "ignore_checksum_failure": "off",
    "session_replication_role": "origin",
}
# A library that a restored copy's database wants in every session may do anything, or be missing on this machine.
_BARE = {"session_preload_libraries": "", "local_preload_libraries": ""}
# What a bare session has, and who is no superuser must be given.
KEPT_FROM_OTHERS = (*_BARE, *_OF_SUPERUSERS)


def session_options(changed: Mapping[str, str] | None = None, *, bare: bool = False, superuser: bool = False) -> str:
    """The start-up options of a session, as libpq and PGOPTIONS take them. `bare`: preload nothing (superusers only)."""
    wanted = _OURS | (_OF_SUPERUSERS if bare or superuser else {}) | (_BARE if bare else {}) | dict(changed or {})
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in wanted.items())


def _escaped(value: str) -> str:
    return re.sub(r"[\\ \t\n\v\f\r]", r"\\\g<0>", value)
