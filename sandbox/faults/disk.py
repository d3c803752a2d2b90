"""A full disk where restored copies go.

A small tmpfs is mounted there: the one way that gives a real `No space left on device` without
touching anything else. It takes root; an ordinary user has no means that other processes would see.
"""

from __future__ import annotations

import os
from typing import Any

from recovery.adapters.files import make_directory
from recovery.adapters.process import HERE, PROMPT_SECONDS, Host
from recovery.errors import GateRefused
from recovery.settings import load_settings
from sandbox.faults.report import Broken, Options
from sandbox.layout import Sandbox


def fill_disk(sandbox: Sandbox, options: Options) -> Broken:
    """Leave only 1 MB (or --free) where restored copies go. Root only."""
    if os.geteuid() != 0:
        raise GateRefused(
            "disk-full mounts a small file system, which only root may do", "make the sandbox as root, or fill a disk"
        )
    place = load_settings(sandbox.settings_file, {}).scratch_dir
    make_directory(Host(sandbox.prefix), place)
    owner = place.stat()
    how = f"size={options.free_bytes},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    _call(["mount", "-t", "tmpfs", "-o", how, "sandbox", str(place)])
    return Broken(f"{place} has {options.free_bytes} bytes of space left", kept={"place": str(place)})


def free_disk(_sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Take the small file system away."""
    _call(["umount", "--lazy", kept["place"]])
    return f"{kept['place']} has the whole disk again"


def _call(argv: list[str]) -> None:
    ended = HERE.run(argv, timeout_seconds=PROMPT_SECONDS, check=False)
    if ended.status:
        raise GateRefused(f"{argv[0]} failed: {ended.stderr.strip()}", "mounting must be allowed here (CAP_SYS_ADMIN)")
