"""Secrets never reach a log, an artifact or an error text: every text passes through here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MASK = "•••"
STRONG_LENGTH = 12
LONG_WORD = 20  # letters alone that are a part of no other word
SHORTEST = 4

_known: set[str] = set()
_names: set[str] = set()
_pattern: re.Pattern[str] | None = None
_OPTION = re.compile(
    r"(?i)((?:password|secret|cipher-pass|key-secret|s3-key|access_key|passwd|token)[\w-]*['\"]?\s*[=:]\s*['\"]?)([^\s,;'\"]+)"
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^@\s/]+)@")
# A line end that was written out (\n) is no part of the word behind it.
_BEGIN, _END = r"(?:(?<!\w)|(?<=\\[nrt]))", r"(?!\w)"


def remember_secret(value: str) -> str:
    """Have this value masked from now on wherever it appears; returns it unchanged.

    A long random value is masked everywhere. A short one, or a plain word, only where it stands
    alone: the password `sandbox` must not turn every `sandboxes` into a riddle. Values shorter than
    four characters are not remembered: masking them would destroy every text.
    """
    if len(value) >= SHORTEST:
        _known.update((value, quote(value, safe="")))
        _forget_pattern()
    return value


def remember_names(names: Iterable[str]) -> None:
    """Have these paths, hosts and names, which the settings say in clear, stay readable.

    A secret that is a part of one is not masked inside it; one that is all of it, is.
    """
    _names.update(name for name in names if len(name) > SHORTEST)
    _forget_pattern()


def redact(text: str) -> str:
    """The text without any secret that is known or that looks like one."""
    text = _URL_PASSWORD.sub(rf"\1:{MASK}@", _without_known(text))
    return _OPTION.sub(rf"\1{MASK}", text)


def redacted(value: Any) -> Any:
    """A value as JSON knows it, with every text in it masked: in finished JSON a secret with a quote looks different."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(one) for one in value]
    return {key: redacted(one) for key, one in value.items()} if isinstance(value, dict) else value


def printable(text: str) -> str:
    """The text with nothing in it that hides, or turns, what stands beside it at a terminal."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


def stands_out(secret: str) -> bool:
    """Whether a secret is so long and odd that it can be nothing but itself wherever it appears."""
    return len(secret) >= (LONG_WORD if secret.isalpha() else STRONG_LENGTH)


def _without_known(text: str) -> str:
    """Again until nothing is found: what was masked may have been the neighbour of the next one."""
    pattern = _pattern or _make_pattern()
    while (masked := pattern.sub(lambda found: found["name"] or MASK, text)) != text:
        text = masked
    return text


def _make_pattern() -> re.Pattern[str]:
    """Names first, so that they are passed over; then secrets. The longest first among each."""
    global _pattern
    secrets = sorted(_known.copy(), key=len, reverse=True)
    names = sorted(
        (name for name in _names.copy() if any(secret in name and secret != name for secret in secrets)),
        key=len,
        reverse=True,
    )
    name = "|".join(_alone(one) for one in names) or "(?!)"
    secret = "|".join(re.escape(one) if stands_out(one) else _alone(one) for one in secrets) or "(?!)"
    made = re.compile(f"(?P<name>{name})|(?:{secret})")
    _pattern = made
    return made


def _alone(word: str) -> str:
    begin = _BEGIN if re.match(r"\w", word[0]) else ""
    end = _END if re.match(r"\w", word[-1]) else ""
    return f"{begin}{re.escape(word)}{end}"


def _forget_pattern() -> None:
    global _pattern
    _pattern = None
