"""What we leave in the state folder belongs to whom that folder belongs, whoever runs us: root and postgres in turn.

Below a folder of another user root goes through no link, and writes into no file that has a second name: whoever owns
that folder could have root write anywhere.
"""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from recovery.errors import SettingsInvalid

_PASS = os.O_PATH | os.O_DIRECTORY
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe that somebody put there must not hold us up
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def make_state_folder(path: Path) -> None:
    """Make the folder that holds all that this tool keeps, and those above it.

    Raises: SettingsInvalid when this user may not; it says how root makes it.
    """
    try:
        _make_all(path.absolute())
    except PermissionError as error:
        me, group = _name(os.geteuid()), _group_name(os.getegid())
        raise SettingsInvalid(
            f"user {me} may not make {path}",
            f"have root make it: install -d -o {me} -g {group} -m 0750 {path}",
        ) from error


def make_folder(path: Path, *, mode: int = 0o755, exist_ok: bool = True) -> None:
    """Make a folder in one of ours; what root makes belongs to whom the folder above belongs.

    Raises: SettingsInvalid when this user may not.
    """
    try:
        _make(path, mode, exist_ok)
    except PermissionError as error:
        raise _closed(path.parent) from error


def open_ours(path: Path, mode: str, *, rights: int = 0o644) -> IO[str]:
    """Open a text file of ours to write it; what root writes belongs to whom its folder belongs.

    Raises: SettingsInvalid when this user may not, or when it is no file of its own.
    """
    try:
        with _entered(path.parent) as above:

            def opened(_name: str, flags: int) -> int:
                return _open_plain(path, flags, above, rights)

            return open(path, mode, encoding="utf-8", opener=opened)
    except PermissionError as error:
        raise _closed(path if os.access(path, os.F_OK) else path.parent) from error


def replace_ours(path: Path, text: str, *, rights: int = 0o644) -> None:
    """Write a file of ours whole or not at all."""
    with _written_beside(path, text.encode(), rights) as (beside, above):
        os.replace(beside, path.name, src_dir_fd=above, dst_dir_fd=above)


def make_ours(path: Path, content: bytes, *, rights: int = 0o644) -> None:
    """Have a whole file of ours there, once: whoever comes second finds the first one's.

    Raises: FileExistsError when there is one. SettingsInvalid when this user may not.
    """
    with _written_beside(path, content, rights) as (beside, above):
        os.link(beside, path.name, src_dir_fd=above, dst_dir_fd=above, follow_symlinks=False)


def read_ours(path: Path) -> bytes | None:
    """A file of ours; None when it is not there, or only leads elsewhere.

    Raises: SettingsInvalid when this user may not.
    """
    try:
        with _entered(path.parent) as above:
            return _content(path.name, above)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise _shut(path) from error


def files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a folder of ours, by name. What is only a link to a file is none of them."""
    with _entered(folder) as above:
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=above)
        try:
            for name in sorted(os.listdir(listed)):
                content = _content(name, listed)
                if content is not None:
                    yield name, content
        finally:
            os.close(listed)


def names_in(folder: Path) -> list[str]:
    """The names of what is in a folder of ours, sorted; nothing when it is not there.

    Raises: SettingsInvalid when this user may not look.
    """
    try:
        with _entered(folder) as above:
            listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=above)
            try:
                return sorted(os.listdir(listed))
            finally:
                os.close(listed)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise _shut(folder) from error


def give_to_owner_above(path: Path) -> None:
    """Have this folder, with all that root kept in it, belong to whom the folder above belongs; only root can."""
    if os.geteuid() == 0:
        with _entered(path.parent) as above:
            _give_folder(path.name, above)


def become_owner_of(folder: Path, *, named: str | None = None) -> None:
    """Root becomes the user to whom this folder belongs, for good, before it does long work there.

    Raises: SettingsInvalid when that is nobody, or another than the settings name.
    """
    if os.geteuid() != 0 or not folder.exists() or not (owner := folder.stat().st_uid):
        return
    try:
        user = pwd.getpwuid(owner)
    except KeyError as error:
        raise SettingsInvalid(
            f"{folder} belongs to user {owner}, whom nobody knows here", f"give it to a user: chown -R USER: {folder}"
        ) from error
    if named not in (None, user.pw_name):
        raise SettingsInvalid(
            f"server.run_as is {named}, and {folder} belongs to {user.pw_name}",
            "leave run_as out: root serves as the user to whom the state folder belongs",
        )
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir


def leads_root_astray(folder: Path) -> bool:
    """Whether we are root and another user says what is in this folder."""
    return os.geteuid() == 0 and any(one.stat().st_uid != 0 for one in (folder, folder.parent) if one.exists())


def owner_of(folder: Path) -> str:
    """The name of the user to whom this folder belongs."""
    return _name(folder.stat().st_uid)


@contextmanager
def disk_trouble(place: Path) -> Iterator[None]:
    """Say in our words what a disk says: it is full, or a file is where a folder should be.

    Raises: SettingsInvalid. FileExistsError as it is: what is there already is the caller's to judge.
    """
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise SettingsInvalid(
            f"{place} cannot be written: {error.strerror}", "make room there, or see who put something in its place"
        ) from error


@contextmanager
def _written_beside(path: Path, content: bytes, rights: int) -> Iterator[tuple[str, int]]:
    """The content, whole and on disk, in a file of its own beside the path, and the open folder; it goes when it is left."""
    try:
        with _entered(path.parent) as above:
            beside = f".{secrets.token_hex(8)}.new"  # two may write the same file at once
            try:
                with open(_open_plain(path.with_name(beside), _NEW, above, rights), "wb") as out:
                    out.write(content)
                    out.flush()
                    os.fsync(out.fileno())
                yield beside, above
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=above)
    except PermissionError as error:
        raise _closed(path.parent) from error


@contextmanager
def _entered(folder: Path) -> Iterator[int]:
    """This folder, open to work in: what is put in its place meanwhile is not what we work in."""
    path = folder.absolute()
    opened = os.open(path.anchor, _PASS)
    try:
        for name in path.parts[1:]:
            below = _step_into(name, opened, path)
            os.close(opened)
            opened = below
        yield opened
    finally:
        os.close(opened)


def _step_into(name: str, folder: int, path: Path) -> int:
    if not _is_strange(folder):
        return os.open(name, _PASS, dir_fd=folder)
    try:
        return os.open(name, _PASS | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError as error:
        raise SettingsInvalid(
            f"{name} in {path} is a link, or no folder, and root goes through none in a folder of another user",
            "make it a folder (a bind mount leads elsewhere, too), or run this as the user it belongs to",
        ) from error


def _make_all(path: Path) -> None:
    if not path.is_dir():
        _make_all(path.parent)
        _make(path, 0o755, True)


def _make(path: Path, mode: int, exist_ok: bool) -> None:
    with _entered(path.parent) as above:
        try:
            os.mkdir(path.name, mode, dir_fd=above)
        except FileExistsError:
            if not exist_ok:
                raise
            os.close(_step_into(path.name, above, path))  # whatever else it is, it must be a folder
        else:
            if os.geteuid() == 0:
                _give_folder(path.name, above)


def _give_folder(name: str, above: int) -> None:
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    try:
        owner, kept_by_root = os.fstat(above), os.fstat(folder).st_uid == 0
        os.fchown(folder, owner.st_uid, owner.st_gid)
        # Into a folder of root's nobody else could put anything.
        for _, folders, files, here in os.fwalk(".", dir_fd=folder) if kept_by_root else ():
            for one in (*folders, *files):
                os.chown(one, owner.st_uid, owner.st_gid, dir_fd=here, follow_symlinks=False)
    finally:
        os.close(folder)


def _open_plain(path: Path, flags: int, above: int, rights: int) -> int:
    file = os.open(path.name, (flags & ~os.O_TRUNC) | _PLAIN, rights, dir_fd=above)
    try:
        if _leads_elsewhere(file, above):
            raise SettingsInvalid(
                f"{path} is no file, or has a second name elsewhere", "see who put it there, and remove it"
            )
        if flags & os.O_TRUNC:
            os.ftruncate(file, 0)
        if os.geteuid() == 0:
            owner = os.fstat(above)
            os.fchown(file, owner.st_uid, owner.st_gid)
    except BaseException:
        os.close(file)
        raise
    return file


def _content(name: str, folder: int) -> bytes | None:
    """What a file in this open folder holds; None when it is no plain file of its own."""
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return None
    with open(os.open(name, os.O_RDONLY | _PLAIN, dir_fd=folder), "rb") as file:
        return None if _leads_elsewhere(file.fileno(), folder) else file.read()


def _leads_elsewhere(file: int, above: int) -> bool:
    """Whether the owner of this folder may have put it there for root to fall into."""
    found = os.fstat(file)
    return _is_strange(above) and not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)


def _is_strange(folder: int) -> bool:
    """Whether we are root and this folder is another user's."""
    return os.geteuid() == 0 and os.fstat(folder).st_uid != 0


def _shut(path: Path) -> SettingsInvalid:
    """Who may not look there, and who may."""
    while not os.access(path, os.F_OK):
        path = path.parent
    me, owner = _name(os.geteuid()), owner_of(path)
    return SettingsInvalid(f"user {me} may not read {path}, which belongs to {owner}", f"run this as {owner}")


def _closed(path: Path) -> SettingsInvalid:
    """Who may not write there, and who may."""
    while not os.access(path, os.F_OK):  # nor seen, by this user
        path = path.parent
    me, owner = _name(os.geteuid()), owner_of(path)
    return SettingsInvalid(f"user {me} may not write {path}, which belongs to {owner}", f"run this as {owner}")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
