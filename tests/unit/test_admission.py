"""Which line of pg_hba.conf decides about a role, which is missing, and where it belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.admission import (
    barred_refusal,
    catching_rule,
    entrance_changes,
    hba_line,
    hba_refusal,
    missing_lines,
    password_refusal,
    refused_passwords,
    shut_out_refusal,
)
from recovery.adapters.postgres.hba_file import with_lines
from recovery.admission import Entrance, HbaFile, HbaLine, HbaRule

PATH = "/etc/pg_hba.conf"
SOCKET = Entrance("keeper", "postgres", None, "backups", ("pg_monitor", "admins"))
TCP = replace(SOCKET, client="10.0.0.7")


def rule(line: int, text: str, *, file: str = PATH) -> HbaRule:
    """A line as PostgreSQL shows it: kind databases users [address netmask] method."""
    words = text.split()
    address, netmask = (words[3], None) if len(words) > 4 else (None, None)
    if address and "/" in address:
        address, netmask = address.split("/")
    return HbaRule(
        file, line, words[0], tuple(words[1].split(",")), tuple(words[2].split(",")), address, netmask, words[-1]
    )


def hba(*lines: str) -> HbaFile:
    return HbaFile(PATH, tuple(rule(number, line) for number, line in enumerate(lines, 90)))


DEBIAN = hba(
    "local all postgres peer",
    "local all all peer",
    "host all all 127.0.0.1/255.255.255.255 scram-sha-256",
    "host all all ::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff scram-sha-256",
    "local replication all peer",
)


@pytest.mark.parametrize(
    ("entrance", "line", "fits"),
    [
        (SOCKET, "local all all peer", True),
        (SOCKET, "local postgres keeper peer", True),
        (SOCKET, "local other,postgres nobody,keeper peer", True),
        (SOCKET, "local replication all peer", False),
        (SOCKET, "local sameuser all peer", False),
        (replace(SOCKET, database="keeper"), "local sameuser all peer", True),
        (replace(SOCKET, database="admins"), "local samerole all peer", True),
        (SOCKET, "local samegroup all peer", False),
        (SOCKET, "local all other peer", False),
        (SOCKET, "local all +admins peer", True),
        (SOCKET, "local all +others peer", False),
        (SOCKET, "local all /^keep peer", True),
        (SOCKET, "local all /^kept peer", False),
        (SOCKET, "local all /[ peer", True),
        (SOCKET, "host all all all trust", False),
        (TCP, "local all all peer", False),
        (TCP, "host all all all reject", True),
        (TCP, "hostssl all all samenet reject", False),
        (TCP, "hostnossl all all samenet reject", True),
        (TCP, "hostnogssenc all all samenet reject", True),
        (TCP, "hostgssenc all all samenet reject", False),
        (TCP, "host all all 10.0.0.0/255.0.0.0 reject", True),
        (TCP, "host all all 10.1.0.0/255.255.0.0 reject", False),
        (TCP, "host all all ::/:: reject", False),
        (TCP, "host all all .example.org reject", True),
    ],
)
def test_which_lines_fit(entrance: Entrance, line: str, fits: bool) -> None:
    assert (catching_rule(entrance, hba(line)) is not None) is fits


def test_on_debian_only_the_socket_is_closed_and_the_line_goes_before_the_one_that_closes_it() -> None:
    ways = (SOCKET, replace(SOCKET, database="clickview", client="127.0.0.1"), replace(SOCKET, client="::1"))
    assert missing_lines(ways, DEBIAN) == [HbaLine("local all keeper scram-sha-256", "backups", 91)]
    [change] = entrance_changes(ways, DEBIAN)
    assert change.what == (
        "write into /etc/pg_hba.conf, before line 91 (local all all peer): local all keeper scram-sha-256"
    )


def test_who_was_let_in_needs_no_line_whatever_the_lines_say() -> None:
    assert entrance_changes([replace(SOCKET, let_in=True)], DEBIAN) == []


def test_no_line_at_all_goes_to_the_end_and_one_before_an_included_file_to_the_top() -> None:
    assert missing_lines([TCP], DEBIAN) == [HbaLine("host all keeper 10.0.0.7/32 scram-sha-256", "backups", None)]
    included = HbaFile(PATH, (rule(3, "local all all peer", file="/etc/hba.d/theirs"),))
    assert missing_lines([SOCKET], included) == [HbaLine("local all keeper scram-sha-256", "backups", 0)]
    assert "before its first line" in entrance_changes([SOCKET], included)[0].what


def test_refused_where_a_password_is_asked_for_is_the_password() -> None:
    way = replace(SOCKET, client="127.0.0.1", let_in=False)
    assert (missing_lines([way], DEBIAN), refused_passwords([way], DEBIAN)) == ([], ["keeper"])
    assert refused_passwords([replace(way, let_in=None)], DEBIAN) == []
    refusal = password_refusal([replace(way, has_password=False)], DEBIAN, {"keeper": "database.backup_password"})
    assert refusal == "database.backup_password is missing, and the server asks role keeper for a password"


def test_encrypted_or_not_decides_which_line_counts() -> None:
    lines = ("hostnossl all all all reject", "hostssl all all all scram-sha-256")
    encrypted, plain = replace(hba(*lines), ssl=True), hba(*lines)
    for let_in in (None, False):
        way = replace(TCP, let_in=let_in)
        assert (missing_lines([way], encrypted), shut_out_refusal([way], encrypted)) == ([], None)
    assert refused_passwords([way], encrypted) == ["keeper"]
    assert shut_out_refusal([way], plain) is not None
    only_encrypted = hba(lines[1])
    assert refused_passwords([way], only_encrypted) == []
    assert missing_lines([way], only_encrypted) == [HbaLine("host all keeper 10.0.0.7/32 scram-sha-256", "backups")]


def test_where_the_server_encrypts_the_line_asks_for_it() -> None:
    file = replace(hba("host all all all ident"), ssl=True)
    assert missing_lines([TCP], file) == [HbaLine("hostssl all keeper 10.0.0.7/32 scram-sha-256", "backups", 90)]


def test_who_is_shut_out_on_purpose_is_let_in_by_a_person_alone() -> None:
    file = hba("local all all peer", "host all all all reject")
    assert shut_out_refusal([SOCKET], file) is None
    assert shut_out_refusal([replace(TCP, let_in=True)], file) is None
    assert shut_out_refusal([SOCKET, TCP], file) == (
        "/etc/pg_hba.conf line 91 (host all all all reject) shuts role keeper out on purpose;"
        " it would need this line before it: host all keeper 10.0.0.7/32 scram-sha-256"
    )


def test_what_keeps_a_role_out_whatever_its_password_is_no_matter_of_the_password() -> None:
    barred = replace(TCP, let_in=False, barred="CONNECTION LIMIT 0")
    assert barred_refusal([barred]) == "role keeper cannot log in: it has CONNECTION LIMIT 0"
    assert barred_refusal([replace(barred, let_in=True), replace(barred, barred=None)]) is None


def test_a_file_that_the_server_does_not_read_is_named_first() -> None:
    broken = HbaFile(PATH, (*DEBIAN.rules, HbaRule(PATH, 99, error="end-of-line before authentication method")))
    assert hba_refusal(DEBIAN) is None
    assert hba_refusal(broken) == (
        "/etc/pg_hba.conf line 99: end-of-line before authentication method;"
        " the server goes on with the lines it read before, and does not start again"
    )


@pytest.mark.parametrize(
    ("role", "written"),
    [
        ("keeper", "keeper"),
        ("Keeper", '"Keeper"'),
        ("of the night", '"of the night"'),
        ('a"b', '"a""b"'),
        ("all", '"all"'),
        ("+admins", '"+admins"'),
        ("ä", '"ä"'),
    ],
)
def test_odd_names_are_quoted(role: str, written: str) -> None:
    assert hba_line(replace(SOCKET, role=role), ssl=True) == f"local all {written} scram-sha-256"


def test_lines_come_into_their_places_and_the_rest_stays() -> None:
    text = b"# comment\nlocal all a peer\n\nlocal all all peer"
    lines = (HbaLine("x", "why x", 4), HbaLine("y", "why y", None), HbaLine("z", "why z", 0))
    note = "# Added by `recover site prepare`: why {0}.\n{0}\n"
    assert with_lines(text, lines).decode() == (
        f"# comment\n{note.format('z')}local all a peer\n\n{note.format('x')}local all all peer\n" + note.format("y")
    )


def test_every_byte_of_somebodys_lines_stays_and_only_a_line_feed_ends_a_line() -> None:
    theirs = b'# caf\xe9 \x85 \xe2\x80\xa8 \x0c \x0b \x1c \r still the first\r\nlocal all "m\xfcller" peer\r\n'
    second = b"local all all peer\r\n"
    added = b'# Added by `recover site prepare`: why.\nlocal all "\xc3\xa4" scram-sha-256\n'
    line = HbaLine('local all "ä" scram-sha-256', "why", 3)
    assert with_lines(theirs + second, [line]) == theirs + added + second
