"""What a statement's error says of the data: that it is damaged, or only that nobody could look."""

from __future__ import annotations

import psycopg

# What damage looks like to whoever reads rows: corrupted pages and indexes, missing chunks and other things that
# cannot be (XX), files that are gone or cannot be read (58), values that are none (22: broken text, for example).
_OF_THE_DATA = ("XX", "58", "22")

# A time-out, a lock, a missing right, a full disk, a server that ended, a table or function that is not there:
# all else says something of the server or of the question, and nothing of the data.


def is_damage(error: psycopg.Error) -> bool:
    """Whether the data itself cannot be read."""
    return (error.sqlstate or "").startswith(_OF_THE_DATA)


def words(error: psycopg.Error) -> str:
    """The server's words on one line, without the statement."""
    said = error.diag.message_primary or str(error)
    detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    return " ".join(f"{said}{detail}".split())
