"""Whether a server lets our roles in, and which line of pg_hba.conf is missing for it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from recovery.admission import Entrance, HbaFile, HbaLine, HbaRule
from recovery.facts import Change

# With these a role comes in with its password, or without any.
_OPEN = ("scram-sha-256", "md5", "password", "trust")
_KEYWORDS = ("all", "replication", "sameuser", "samerole", "samegroup")


def hba_refusal(file: HbaFile) -> str | None:
    """Why this file must be corrected first, or None: the server reads all of it or nothing, and does not start with it."""
    wrong = next((rule for rule in file.rules if rule.error), None)
    if wrong is None:
        return None
    return f"{wrong.file} line {wrong.line}: {wrong.error}; the server goes on with the lines it read before, and does not start again"


def catching_rule(entrance: Entrance, file: HbaFile) -> HbaRule | None:
    """The line that decides about this way in: the first that fits. One that we cannot judge counts as fitting."""
    return next((rule for rule in file.rules if _fits(rule, entrance, file.ssl)), None)


def missing_lines(entrances: Sequence[Entrance], file: HbaFile) -> list[HbaLine]:
    """The lines that pg_hba.conf needs, each before the line that would otherwise decide."""
    found: dict[str, HbaLine] = {}
    for entrance in entrances:
        rule = catching_rule(entrance, file)
        if entrance.let_in or (rule and rule.method in _OPEN):
            continue
        before = None if rule is None else rule.line if rule.file == file.path else 0
        line = HbaLine(hba_line(entrance, ssl=file.ssl), entrance.purpose, before)
        found.setdefault(line.text, line)
    return list(found.values())


def refused_passwords(entrances: Sequence[Entrance], file: HbaFile) -> list[str]:
    """The roles whose password the server does not take, though pg_hba.conf asks them for nothing else."""
    return list(
        dict.fromkeys(
            one.role
            for one in entrances
            if one.let_in is False and (rule := catching_rule(one, file)) and rule.method in _OPEN
        )
    )


def shut_out_refusal(entrances: Sequence[Entrance], file: HbaFile) -> str | None:
    """Why a role must be let in by a person, or None: a line that shuts it out was written on purpose."""
    for one in entrances:
        rule = catching_rule(one, file)
        if not one.let_in and rule and rule.method == "reject":
            return (
                f"{rule.file} line {rule.line} ({_words(rule)}) shuts role {one.role} out on purpose;"
                f" it would need this line before it: {hba_line(one, ssl=file.ssl)}"
            )
    return None


def barred_refusal(entrances: Sequence[Entrance]) -> str | None:
    """Why a role cannot come in although its password may be right, or None."""
    barred = next((one for one in entrances if one.let_in is False and one.barred), None)
    return f"role {barred.role} cannot log in: it has {barred.barred}" if barred else None


def password_refusal(entrances: Sequence[Entrance], file: HbaFile, settings: dict[str, str]) -> str | None:
    """Why a role cannot come in whatever the server says, or None: it is asked for a password and has none."""
    for one in entrances:
        if not one.let_in and not one.has_password and _asks_for_password(catching_rule(one, file)):
            return f"{settings[one.role]} is missing, and the server asks role {one.role} for a password"
    return None


def entrance_changes(entrances: Sequence[Entrance], file: HbaFile) -> list[Change]:
    """What has to be done so that every role comes in."""
    lines = [
        Change(f"write into {_place(line, file)}: {line.text}", line.purpose) for line in missing_lines(entrances, file)
    ]
    passwords = [
        Change(
            f"reload the server, and set the password of role {role} where that does not help",
            "the server does not take the one in recovery.toml",
        )
        for role in refused_passwords(entrances, file)
    ]
    return lines + passwords


def hba_line(entrance: Entrance, *, ssl: bool) -> str:
    """The line that lets this role in with its password, and nobody else; encrypted where the server can."""
    role = entrance.role
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", role) or role in _KEYWORDS:
        role = '"' + role.replace('"', '""') + '"'
    if entrance.client is None:
        return f"local all {role} scram-sha-256"
    kind = "hostssl" if ssl else "host"
    return f"{kind} all {role} {ipaddress.ip_network(entrance.client)} scram-sha-256"


def _place(line: HbaLine, file: HbaFile) -> str:
    if line.before is None:
        return f"{file.path}, at its end"
    caught = next((rule for rule in file.rules if (rule.file, rule.line) == (file.path, line.before)), None)
    if caught is None:
        return f"{file.path}, before its first line"
    return f"{file.path}, before line {line.before} ({_words(caught)})"


def _words(rule: HbaRule) -> str:
    words = (rule.kind, ",".join(rule.databases), ",".join(rule.users), rule.address or "", rule.method)
    return " ".join(word for word in words if word)


def _asks_for_password(rule: HbaRule | None) -> bool:
    return rule is None or rule.method not in ("trust",)


def _fits(rule: HbaRule, entrance: Entrance, ssl: bool) -> bool:
    kinds = ("local",) if entrance.client is None else ("host", "hostssl" if ssl else "hostnossl", "hostnogssenc")
    if rule.error or rule.kind not in kinds:
        return False
    return (
        any(_names_database(word, entrance) for word in rule.databases)
        and any(_names_role(word, entrance) for word in rule.users)
        and (entrance.client is None or _covers(rule, entrance.client))
    )


def _names_database(word: str, entrance: Entrance) -> bool:
    match word:
        case "all":
            return True
        case "sameuser":
            return entrance.database == entrance.role
        case "samerole" | "samegroup":
            return entrance.database in (entrance.role, *entrance.groups)
        case "replication":
            return False
    return word == entrance.database or _matches(word, entrance.database)


def _names_role(word: str, entrance: Entrance) -> bool:
    if word.startswith("+"):
        return word[1:] in (entrance.role, *entrance.groups)
    return word in ("all", entrance.role) or _matches(word, entrance.role)


def _matches(word: str, name: str) -> bool:
    """Whether a regular expression of the file (PostgreSQL 16) fits; one that Python does not read counts as fitting."""
    try:
        return word.startswith("/") and re.search(word[1:], name) is not None
    except re.error:
        return True


def _covers(rule: HbaRule, client: str) -> bool:
    """Whether a line is about this address. A name that we would have to look up counts as fitting."""
    if rule.address in ("all", "samehost", "samenet") or rule.netmask is None:
        return True
    address, network = ipaddress.ip_address(client), ipaddress.ip_address(rule.address or "::")
    mask = ipaddress.ip_address(rule.netmask)
    if address.version != network.version:
        return False
    return int(address) & int(mask) == int(network) & int(mask)
