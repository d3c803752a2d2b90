"""Secrets never reach a log, an artifact or an error text: every text passes through here."""

from __future__ import annotations

import re

MASK = "•••"

_known: set[str] = set()
_OPTION = re.compile(
    r"(?i)((?:password|secret|cipher-pass|key-secret|s3-key|access_key|passwd|token)[\w-]*['\"]?\s*[=:]\s*['\"]?)([^\s,;'\"]+)"
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^@\s/]+)@")


def remember_secret(value: str) -> str:
    """Have this value masked from now on wherever it appears; returns it unchanged.

    Values shorter than four characters are not remembered: masking them would destroy every text.
    """
    if len(value) >= 4:
        _known.add(value)
    return value


def redact(text: str) -> str:
    """The text without any secret that is known or that looks like one."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    return _OPTION.sub(rf"\1{MASK}", text)
