"""What a program that we start knows of the shell we were started in: next to nothing.

A variable that somebody forgot there (PGBACKREST_PG1_PATH, PGSERVICE, AWS_PROFILE) must not decide what a recovery
reads, nor where it writes.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from recovery.proxies import with_direct_way_to

# By it a sandbox finds all that was started for it.
SANDBOX_MARK = "CLICKVIEW_SANDBOX"
# No file can have this path: PostgreSQL's programs look there for passwords, and not in the user's ~/.pgpass.
NO_FILE = "/dev/null/none"

_KEPT = ("PATH", "HOME", "SSH_AUTH_SOCK", SANDBOX_MARK)
FIXED = {"LC_ALL": "C", "TZ": "UTC"}
_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What this Python needs to start, another one needs, too.
_PYTHON = ("PYTHON", "LD_LIBRARY_PATH")
# What libraries in our own process would listen to, past all that they are told.
_HEARD = ("PG", "AWS_")


def program_environment(
    added: Mapping[str, str] | None = None, shell: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of a program: made from nothing, with what its adapter adds."""
    kept = {name: shell[name] for name in _KEPT if shell.get(name)}
    return {"PATH": _USUAL_PATH, "HOME": _home(), **kept, **FIXED, **(added or {})}


def our_environment(added: Mapping[str, str] | None = None, shell: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a Python program of ours.

    A site may reach AWS only through a proxy: those of the shell that can be used stay, and none is asked for this machine.
    """
    python = {name: value for name, value in shell.items() if name.startswith(_PYTHON)}
    return program_environment(python | _proxies(shell) | dict(added or {}), shell)


def forget_the_shell() -> None:
    """Have the libraries in this process hear nothing of the shell: a service file's name wins over all that libpq is told.

    To be called before each connection: who calls may be a command, a worker or a test.
    """
    for name in list(os.environ):
        if name.startswith(_HEARD):
            os.environ.pop(name, None)
    wanted = _proxies(os.environ)
    for name in _proxy_names(os.environ):
        if name not in wanted:
            os.environ.pop(name, None)
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _proxies(shell: Mapping[str, str]) -> dict[str, str]:
    return with_direct_way_to("127.0.0.1", {name: shell[name] for name in _proxy_names(shell)})


def _proxy_names(shell: Mapping[str, str]) -> list[str]:
    return [name for name in shell if name.lower().endswith("_proxy")]


def _home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a user of a container that no file names
        return "/"
