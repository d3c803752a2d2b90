"""How a server lets its roles in: the lines of its pg_hba.conf, and the ways that our roles come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HbaRule:
    """One line of pg_hba.conf as the server reads it; with an `error` it counts for nothing, and no line does."""

    file: str
    line: int
    kind: str = ""
    databases: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    address: str | None = None
    netmask: str | None = None
    method: str = ""
    error: str | None = None


@dataclass(frozen=True)
class HbaFile:
    """The server's pg_hba.conf with all that it includes, in the order in which the server tries the lines.

    `ssl`: the server encrypts, so over the network our roles come encrypted (sslmode=prefer, without Kerberos).
    """

    path: str
    rules: tuple[HbaRule, ...]
    ssl: bool = False


@dataclass(frozen=True)
class Entrance:
    """A way by which a role of ours comes to the server, and what for.

    `client` is the address that the server sees us at; None over its Unix socket.
    `let_in`: what became of trying it; None when it could not be tried, for want of the role.
    `barred`: what keeps the role out whatever its password is.
    """

    role: str
    database: str
    client: str | None
    purpose: str
    groups: tuple[str, ...] = ()
    has_password: bool = True
    let_in: bool | None = None
    barred: str | None = None


@dataclass(frozen=True)
class HbaLine:
    """A line for pg_hba.conf, and before which one of its lines it belongs: 0 is the first of all, None the end."""

    text: str
    purpose: str
    before: int | None = None
