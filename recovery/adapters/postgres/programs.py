"""PostgreSQL's own programs, as they lie on the database's host."""

from __future__ import annotations

import re
from pathlib import Path

from recovery.adapters.process import PROMPT_SECONDS, Host

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def major_version(host: Host, bin_dir: Path) -> int | None:
    """The major version of the programs in a directory; None when they do not say one."""
    said = host.run([bin_dir / "pg_ctl", "--version"], timeout_seconds=PROMPT_SECONDS, check=False)
    found = _VERSION.search(said.stdout)
    return int(found[1]) if found else None
