"""What we leave in the state folder belongs to whom that folder belongs, whoever runs us: root and postgres in turn."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import IO

from recovery.errors import SettingsInvalid


def make_folder(path: Path, *, mode: int = 0o755, exist_ok: bool = True) -> None:
    """Make a folder and those above it; what root makes belongs to whom the folder above belongs.

    Raises: SettingsInvalid when this user may not.
    """
    if not path.parent.exists():
        make_folder(path.parent)
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        if not exist_ok or not path.is_dir():
            raise
    except PermissionError as error:
        raise _closed(path.parent) from error
    else:
        give_to_owner_above(path)


def open_ours(path: Path, mode: str) -> IO[str]:
    """Open a text file of ours to write it; what root writes belongs to whom its folder belongs.

    A link is not followed: its owner could have root write anywhere.
    Raises: SettingsInvalid when this user may not.
    """

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW, 0o644)

    try:
        file = open(path, mode, encoding="utf-8", opener=opened)  # noqa: SIM115 - the caller closes it
    except PermissionError as error:
        raise _closed(path if path.exists() else path.parent) from error
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.fchown(file.fileno(), above.st_uid, above.st_gid)
    return file


def give_to_owner_above(path: Path) -> None:
    """Have this, with all in it, belong to whom the folder above belongs; only root can."""
    above, here = path.parent.stat(), path.lstat()
    if os.geteuid() == 0 and (above.st_uid, above.st_gid) != (here.st_uid, here.st_gid):
        for one in (path, *path.rglob("*")):
            os.chown(one, above.st_uid, above.st_gid, follow_symlinks=False)


def _closed(path: Path) -> SettingsInvalid:
    """Who may not write there, and how root mends it."""
    while not path.exists():  # nor seen, by this user
        path = path.parent
    folder, me = path if path.is_dir() else path.parent, _name(os.geteuid())
    return SettingsInvalid(
        f"user {me} may not write {path}, which belongs to {_name(path.stat().st_uid)}",
        f"run this as the user it belongs to, or give it away as root: chown -R {me}: {folder}",
    )


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
