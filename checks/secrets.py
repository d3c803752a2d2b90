"""Whether a secret is worth its name."""

from __future__ import annotations

from collections.abc import Collection

from recovery.redaction import LONG_WORD, SHORTEST, STRONG_LENGTH, stands_out

_COMMON = frozenset(
    [
        "admin",
        "administrator",
        "backup",
        "changeit",
        "changeme",
        "clickview",
        "default",
        "example",
        "hunter2",
        "letmein",
        "master",
        "password",
        "passw0rd",
        "postgres",
        "prefect",
        "qwerty",
        "redis",
        "root",
        "sandbox",
        "secret",
        "test",
        "testing",
        "welcome",
    ]
)
_MAKE_ONE = "make one with: openssl rand -hex 24"


def weak_secret_warning(name: str, secret: str, site_names: Collection[str]) -> str | None:
    """Why this secret should be another one, or None. The secret itself is not in the text."""
    if len(secret) < SHORTEST:
        return f"{name}: shorter than {SHORTEST} characters, so it is not even masked in logs; {_MAKE_ONE}"
    if secret.lower().strip("0123456789!._-") in _COMMON or secret.lower() in _COMMON:
        return f"{name}: a common word, which is tried first and masked only where it stands alone; {_MAKE_ONE}"
    if secret in site_names:
        return f"{name}: the same as a name in these settings, which everybody reads; {_MAKE_ONE}"
    if len(secret) < STRONG_LENGTH:
        return (
            f"{name}: shorter than {STRONG_LENGTH} characters, so it is masked only where it stands alone; {_MAKE_ONE}"
        )
    if not stands_out(secret):
        return f"{name}: letters only and shorter than {LONG_WORD}, so it is masked only where it stands alone; {_MAKE_ONE}"
    return None
