"""A command prefix that makes another user of root: runuser, sudo and their like. One recovery.toml serves both users."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

_USER_CHANGERS = ("runuser", "sudo", "setpriv", "doas")
_USER = re.compile(r" (?:-u|--user|--reuid)[= ](\S+)")


def changes_user(prefix: tuple[str, ...]) -> bool:
    """Whether this prefix stays on this machine and only changes the user."""
    return bool(prefix) and Path(prefix[0]).name in _USER_CHANGERS


def needed_prefix(prefix: tuple[str, ...]) -> tuple[str, ...]:
    """The prefix without what is so already: who is that user need not, and mostly may not, become it."""
    return () if changes_user(prefix) and _target(prefix) == os.geteuid() else prefix


def _target(prefix: tuple[str, ...]) -> int | None:
    """The user that a prefix leads to; None when it cannot be told."""
    found = _USER.search(" ".join(prefix))
    if found is None:
        return None
    try:
        return int(found[1]) if found[1].isdigit() else pwd.getpwnam(found[1]).pw_uid
    except KeyError:
        return None
