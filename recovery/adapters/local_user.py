"""A command prefix that makes another user of root: runuser, sudo and their like. One recovery.toml serves both users."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from recovery.adapters.process import HERE, Host

_USER_CHANGERS = ("runuser", "sudo", "setpriv", "doas")
# Their options whose value is the next word.
_WITH_VALUE = re.compile(r"-[A-Za-z]*[ugG]|--(?:user|group|groups|supp-group|reuid|regid)")
_USER = re.compile(r" (?:-u|--user|--reuid)[= ](\S+)")


def changes_user(prefix: tuple[str, ...]) -> bool:
    """Whether this prefix stays on this machine and only changes the user: no other program comes after it."""
    if not prefix or Path(prefix[0]).name not in _USER_CHANGERS:
        return False
    options = prefix[1:-1] if prefix[-1] == "--" else prefix[1:]
    before = (prefix[0], *options)
    return all(
        word != "--" and (word.startswith("-") or _WITH_VALUE.fullmatch(last))
        for last, word in zip(before, options, strict=False)
    )


def needed_prefix(prefix: tuple[str, ...]) -> tuple[str, ...]:
    """The prefix without what is so already: who is that user need not, and mostly may not, become it."""
    return () if changes_user(prefix) and _target(prefix) == os.geteuid() else prefix


def as_root(host: Host) -> Host:
    """Where root, who types the commands, asks itself: what only root may do, and whom the prefix makes of root may not."""
    return HERE if os.geteuid() == 0 and changes_user(host.prefix) else host


def _target(prefix: tuple[str, ...]) -> int | None:
    """The user that a prefix leads to; None when it cannot be told."""
    found = _USER.search(" ".join(prefix))
    if found is None:
        return None
    try:
        return int(found[1]) if found[1].isdigit() else pwd.getpwnam(found[1]).pw_uid
    except KeyError:
        return None
