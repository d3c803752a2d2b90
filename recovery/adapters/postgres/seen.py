"""What was seen of one expectation, or why nothing was."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

Row = tuple[tuple[str, str], ...]  # (column, value), as the server writes it

# What damage looks like to whoever reads rows: broken pages and indexes, missing chunks and other things that cannot
# be (XX), files that are gone or unreadable (58), values that are none (22). All else (a time-out, a lock, a missing
# right, a full disk, a server that ended, a table that is not there) says something of the server or of the question.
_OF_THE_DATA = ("XX", "58", "22")
_NO_LIBRARY = "could not access file"  # of an extension that is not installed on this host: 58, but no file of the data


@dataclass(frozen=True)
class Seen:
    """How many rows, and some of them. With a `problem` nobody saw anything; `damage`: the data is what is wrong."""

    rows: int = 0
    examples: tuple[Row, ...] = ()
    problem: str = ""
    damage: bool = False
    of_a_value: bool = False  # the error is about a value, which the question may have made itself


def unseen(error: psycopg.Error) -> Seen:
    """What an error of the server says of the data: that it is damaged, or only that nobody could look."""
    said = error.diag.message_primary or str(error)
    detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    state = error.sqlstate or ""
    damage = state.startswith(_OF_THE_DATA) and not said.startswith(_NO_LIBRARY)
    return Seen(problem=" ".join(f"{said}{detail}".split()), damage=damage, of_a_value=state.startswith("22"))
