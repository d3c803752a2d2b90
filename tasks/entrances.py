"""See that every role comes in by the way it will use, and mend pg_hba.conf where one does not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from checks.admission import (
    barred_refusal,
    entrance_changes,
    hba_refusal,
    missing_lines,
    password_refusal,
    refused_passwords,
    shut_out_refusal,
)
from recovery.adapters.postgres import hba_file, preparation, standing_roles
from recovery.adapters.postgres.server import seen_through
from recovery.admission import Entrance
from recovery.errors import VerificationFailed
from recovery.facts import Change, DatabaseAddress
from recovery.gate import require
from recovery.site import site
from tasks.preparation import roles_of_site
from tasks.step import action, note, probe

_NO_PASSWORD = "write it in recovery.toml (a reference to a file of mode 0600 is best)"


@dataclass(frozen=True)
class _Way:
    """An address that a role uses, what for, and what it is a member of once it is made."""

    address: DatabaseAddress
    purpose: str
    groups: tuple[str, ...]


@probe
def find_closed_entrances() -> list[Change]:
    """Try each role the way it will be used; name the line of pg_hba.conf, or the password, that is missing."""
    file = hba_file.read_hba_file(site().admin_address())
    require(hba_refusal(file), next_step="correct that line, SELECT pg_reload_conf(), then run this again")
    entrances, database = _entrances(), site().settings.database
    names = {
        database.backup_user: "database.backup_password",
        database.reader_user: "database.reader_password",
    }
    for refusal, next_step in (
        (shut_out_refusal(entrances, file), "write it by hand, SELECT pg_reload_conf(), then run this again"),
        (barred_refusal(entrances), "ALTER ROLE … takes it away, when that was not meant; then run this again"),
        (password_refusal(entrances, file, names), _NO_PASSWORD),
    ):
        require(refusal, next_step=next_step)
    return entrance_changes(entrances, file)


@action
def open_entrances() -> None:
    """Write what is missing into pg_hba.conf, set passwords that are not taken, and try each role again. Idempotent."""
    admin = site().admin_address()
    hba_file.reload(admin)  # what somebody wrote there by hand may be all that is missing
    entrances, file = _entrances(), hba_file.read_hba_file(admin)
    if lines := missing_lines(entrances, file):
        kept = hba_file.add_lines(site().host, admin, lines)
        note(f"the pg_hba.conf of before is kept as {kept}")
        entrances, file = _entrances(), hba_file.read_hba_file(admin)
    for role in roles_of_site():
        if role.name in refused_passwords(entrances, file):
            note(f"doing: set the password of role {role.name}")
            preparation.apply_password(admin, role)
    for way in _ways():
        if not hba_file.wait_until_in(way.address):
            raise _still_closed(way.address)


def _still_closed(address: DatabaseAddress) -> VerificationFailed:
    seen = hba_file.address_seen(address.host, address.port)
    elsewhere = (
        f"; if it names another address than {seen} (NAT, a proxy, a container), correct the line in pg_hba.conf"
        if seen
        else ""
    )
    return VerificationFailed(
        f"role {address.user} does not come in at {address.host}:{address.port}, database {address.name}",
        f"the server's log says why{elsewhere}",
    )


def _entrances() -> list[Entrance]:
    return [_entrance(way) for way in _ways()]


def _entrance(way: _Way) -> Entrance:
    address = way.address
    groups = standing_roles.read_groups(site().admin_address(), address.user)
    found = Entrance(
        role=address.user,
        database=address.name,
        client=hba_file.address_seen(address.host, address.port),
        purpose=way.purpose,
        groups=way.groups if groups is None else groups,
        has_password=address.password is not None,
    )
    # A role that may not connect is refused for that, whatever pg_hba.conf says: the right comes first.
    if groups is None or not preparation.may_connect(site().admin_address(), address.user, address.name):
        return found
    barred = standing_roles.read_bar(site().admin_address(), address.user)
    if barred == standing_roles.NOLOGIN:  # that is one of its rights, which are mended first
        return found
    return replace(found, let_in=hba_file.comes_in(address), barred=barred)


def _ways() -> list[_Way]:
    database = site().settings.database
    reader, backup = roles_of_site()
    on_socket = replace(site().backup_address(seen_through(site().admin_address())), host=str(database.socket_dir))
    return [
        _Way(on_socket, "pgBackRest comes over the socket, with this role's password", backup.member_of),
        _Way(site().backup_address(), "the heartbeat comes with this role's password", backup.member_of),
        _Way(site().reader_address(), "the data checks come with this role's password", reader.member_of),
    ]
