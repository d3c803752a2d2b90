"""What pg_restore says of the entries that it could not make. Pure: its words in, faults out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recovery.redaction import redact

GONE_ON = "errors ignored on restore"  # so ends a load that went on past its errors, and only such a one
_ENTRY = re.compile(r"^pg_restore: from TOC entry (\d+); \d+ (\d+) (.*)$")
_ERROR = re.compile(r"^pg_restore: error: (?:could not execute query: )?(?:ERROR:\s+)?(.+)$")
_LISTED = re.compile(r"^(\d+); \d+ \d+ (.+)$", re.MULTILINE)
_NO_SCHEMA = re.compile(r"^([A-Z ]+) - ")
_NO_ROLE = re.compile(r'^role "(.+)" does not exist$')
_SAID = re.compile(r"^(?:psql:\S+ )?(?:ERROR|FATAL|PANIC):\s+(.+)$", re.MULTILINE)
_NOT_READ = re.compile(r"^pg_dump: error: (.+)$", re.MULTILINE)
_RIGHTS = ("ACL ", "DEFAULT ACL ")
_OF_A_ROLE = ("POLICY ", "USER MAPPING ")  # not made at all where their role is missing
_FILLED = "TABLE DATA "
# What a person needs not type: comments, and what pg_restore sets for its own session.
_NOISE = re.compile(r"^(--|SET |SELECT pg_catalog\.set_config|\\)")


@dataclass(frozen=True)
class Fault:
    """One error: the entry of the archive (its number, the object's oid at the source, its kind and name) and the words."""

    entry: int
    oid: int
    what: str
    words: str

    @property
    def missing_role(self) -> str | None:
        """The role that this server lacks, when that is all there is to it."""
        found = None if self.what.startswith(_OF_A_ROLE) else _NO_ROLE.match(self.words)
        return found[1] if found else None

    @property
    def of_rights(self) -> bool:
        """Whether it is a list of grants: they are made all at once, so one fault loses all of them."""
        return self.what.startswith(_RIGHTS)

    @property
    def of_rows(self) -> bool:
        """Whether a table was not filled."""
        return self.what.startswith(_FILLED)


def faults_in(stderr: str) -> tuple[Fault, ...]:
    """All errors, in the order in which they came."""
    found: list[Fault] = []
    entry, oid, what = 0, 0, ""
    for line in stderr.splitlines():
        if at := _ENTRY.match(line):
            entry, oid, what = int(at[1]), int(at[2]), at[3]
        elif error := _ERROR.match(line):
            found.append(Fault(entry, oid, what, redact(error[1])))
    return tuple(found)


def faults_of_psql(stderr: str, what: str) -> tuple[Fault, ...]:
    """What psql could not do of the entries that are called so."""
    return tuple(Fault(0, 0, what, redact(words)) for words in _SAID.findall(stderr))


def errors_of_dump(stderr: str) -> list[str]:
    """What pg_dump could not read; what pg_restore says then only follows from it."""
    return [redact(words) for words in _NOT_READ.findall(stderr)]


def listed(contents: str) -> dict[int, str]:
    """The lines of an archive's table of contents, by their number."""
    return {int(found[1]): found[0] for found in _LISTED.finditer(contents)}


def named(line: str) -> str:
    """An entry as it is called to people: kind, schema, name (and owner)."""
    found = _LISTED.match(line)
    return _NO_SCHEMA.sub(r"\1 ", found[2]).strip() if found else line


def to_type(script: str) -> str:
    """Of a script of pg_restore what a person would have to type."""
    return " ".join(line.strip() for line in script.splitlines() if line.strip() and not _NOISE.match(line))


def roles_missing(faults: Iterable[Fault]) -> dict[str, int]:
    """The roles that the server lacks, and how many objects they should own."""
    missing: dict[str, int] = {}
    for fault in faults:
        if role := fault.missing_role:
            missing[role] = missing.get(role, 0) + (0 if fault.of_rights else 1)
    return missing
