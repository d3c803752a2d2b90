"""SQL on its way through Great Expectations, which formats it as a template and as text() of SQLAlchemy."""

from __future__ import annotations

import re

# What text() takes for a parameter, and what it takes for an escaped colon.
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=[\w$]+(?![:\w$]))")
_ESCAPED = re.compile(r"\\(?=:[\w$]*(?![:\w$]))")


def as_template(query: str) -> str:
    """A query that arrives at the server as it was written."""
    return _PARAMETER.sub(r"\\:", _ESCAPED.sub(r"\\\\", query)).replace("{", "{{").replace("}", "}}")
