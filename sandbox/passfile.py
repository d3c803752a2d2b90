"""A line of a PostgreSQL password file."""

from __future__ import annotations


def passfile_line(host: str, port: object, database: str, user: str, password: str) -> str:
    """One line; what it is made of may hold colons and backslashes."""
    words = (host, str(port), database, user, password)
    return ":".join(word.replace("\\", "\\\\").replace(":", "\\:") for word in words) + "\n"
