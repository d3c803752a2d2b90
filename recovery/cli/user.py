"""Who types, as the machine knows it."""

from __future__ import annotations

import os
import pwd


def who_types() -> str:
    """The user of this process; with sudo also whoever called it, as sudo says."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    caller = os.environ.get("SUDO_USER") if os.getuid() == 0 else None  # anybody else can write there what he likes
    return f"{caller} (sudo, {name})" if caller and caller != name else name
