"""Values that nobody can mean, and some that somebody could: for the fuzz of the command and of the API."""

from __future__ import annotations

import random
from typing import Any

# What Unicode, a shell, a form and people's habits have in store.
_TEXTS = (
    "", " ", "\t", "\n", "  x  ", "0", "-1", "00", "1e9", "NaN", "inf", "null", "None", "true", "[]", "{}", "''", '"',
    "ä", "Zürich", "日本", "مرحبا", "\u202eabc", "\u200b", "\ufeff", "👩‍👩‍👧", "e\u0301", "\u00a0", "١٢٣", "²",
    "'; DROP DATABASE clickview; --", "a,b", "a;b", "a|b", "a&b", "$(id)", "`id`", "${HOME}", "%s%n%d", "{0}", "\\", "\\0",
    "../../etc/passwd", "/", "/dev/null", ".", "*", "?", "-", "--", "-x", "--json", "--help=1", "=", "a=b",
    "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01",
    "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00+99:99",
    "2026-01-01T00:00:00 America/Argentina", "2026-01-01T00:00:00 Europe/Nowhere", "2026-01-01T00:00:00 ../zone",
    "٢٠٢٦-٠١-٠١T٠٠:٠٠:٠٠Z", "now", "yesterday", "1768471800", "2026-01-01T00:00:00Z\n",
    "0/0", "F/G", "FFFFFFFF/FFFFFFFF", "100000000/0", "/", "0/", "-1/0", "0x0/1", "٠/١",
    "20260101-000000F", "20260101-000000F_20260101-000000I", "20260101-000000X", "٢٠٢٦٠١٠١-٠٠٠٠٠٠F",
    "clickview", "postgres", "template0", "CLICKVIEW2", "clickview_restored", "recovering_copy_x", "us-east-1", "data",
)  # fmt: skip
_LETTERS = "aZ09 _-./:'\"\\%$äß日🦊\u0300\u202e\u00a0\u2028"


def odd_text(source: random.Random) -> str:
    """A text: one of those that made trouble somewhere, a long one, or letters by chance."""
    kind = source.random()
    if kind < 0.6:
        return source.choice(_TEXTS)
    if kind < 0.7:
        return source.choice("aä ") * source.choice((63, 64, 255, 1001, 20_000))
    return "".join(source.choice(_LETTERS) for _ in range(source.randint(1, 30)))


def odd_value(source: random.Random) -> Any:
    """What JSON can hold."""
    kind = source.random()
    if kind < 0.5:
        return odd_text(source)
    texts = ("a\x00b", "\ud800", "\x07", "\x1b[2J", "\x85", [], {}, [None], {"a": {"b": [1]}}, {"$ref": "x"})
    numbers = (0, 1, -1, 7, 2**31, 2**32, 2**63, 10**300, 0.5, -0.0, 1e308, True, False, None)
    return source.choice((*texts, *numbers))


def misspelt(name: str, source: random.Random) -> str:
    """A name as somebody mistypes it."""
    place = source.randrange(len(name))
    kind = source.randrange(4)
    if kind == 0:
        return name[:place] + name[place + 1 :]
    if kind == 1:
        return name[:place] + name[place] + name[place:]
    return name.upper() if kind == 2 else name + "s"
