"""Rules that a site brings itself: queries of its own that must return no row."""

from __future__ import annotations

from checks.expectation import no_rows, not_checked
from recovery.expectation import Expectation

_SUITE = "site rules"


def site_rule(name: str, text: str) -> Expectation:
    """One SQL file as an expectation: its first comment says what must be true, the query finds what breaks it."""
    lines = text.strip().splitlines()
    sentence = lines[0].lstrip("- ").strip() if lines and lines[0].startswith("--") else ""
    query = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";").strip()
    if not query:
        return not_checked(_SUITE, name, "the file holds no query")
    return no_rows(_SUITE, f"{name}: {sentence}" if sentence else name, "the query returns no row", query)


def unreadable_rule(name: str, why: str) -> Expectation:
    """A rule, or the folder of all of them, that could not be read: said, and not passed over."""
    return not_checked(_SUITE, name, why)
