"""Which settings of a server are good enough, which are changed, and which are not ours to change."""

from __future__ import annotations

import pytest

from checks.server_settings import differing_settings, others_archive_command, serves, setting_changes, settings_refusal
from recovery.server_setting import ServerSetting

WANTED = {"wal_level": "replica", "archive_mode": "on", "archive_command": "ours", "archive_timeout": "60"}
DEFAULTS = {"wal_level": "replica", "archive_mode": "off", "archive_command": "(disabled)", "archive_timeout": "0"}


def setting(name: str, value: str, *, source: str = "default", configured: str | None = None) -> ServerSetting:
    restart = name in ("wal_level", "archive_mode")
    return ServerSetting(name, value, restart, source, value if configured is None else configured)


def found(**values: str) -> dict[str, ServerSetting]:
    settings = DEFAULTS | {"archive_library": "", "allow_alter_system": "on"} | values
    known = {name: setting(name, value) for name, value in settings.items()}
    if known["archive_command"].value == "(disabled)":
        known["archive_command"] = setting("archive_command", "(disabled)", configured="")
    return known


def is_ours(command: str) -> bool:
    return command.startswith("ours")


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("wal_level", "logical", True),
        ("wal_level", "replica", True),
        ("wal_level", "minimal", False),
        ("wal_level", "LOGICAL", True),
        ("wal_level", "Hot_Standby", True),
        ("wal_level", "archive", True),
        ("wal_level", "MINIMAL", False),
        ("archive_mode", "always", True),
        ("archive_mode", "off", False),
        ("archive_timeout", "5", True),
        ("archive_timeout", "60", True),
        ("archive_timeout", "61", False),
        ("archive_timeout", "0", False),
        ("archive_command", "ours of before", False),
    ],
)
def test_more_wal_and_sooner_is_as_good(name: str, value: str, good: bool) -> None:
    assert serves(name, value, WANTED[name]) is good


def test_what_is_set_and_waits_for_a_restart_is_not_set_again() -> None:
    waiting = found(archive_timeout="60") | {
        "archive_mode": setting("archive_mode", "off", configured="on"),
        "archive_command": setting("archive_command", "(disabled)", configured="ours"),
    }
    assert differing_settings(waiting, WANTED) == {}
    assert [(one.what, one.needs_restart) for one in setting_changes(waiting, WANTED, is_ours)] == [
        ("restart: archive_mode = on waits for it", True)
    ]


def test_nobodys_and_our_own_earlier_command_are_replaced_somebodys_is_not() -> None:
    for command in ("(disabled)", "", "/bin/true", "ours of before"):
        assert others_archive_command(found(archive_command=command), is_ours) is None
    theirs = found(archive_mode="on", archive_command="A_KEY=geheim pgbackrest --stanza=other archive-push %p")
    assert others_archive_command(theirs, is_ours) == "archive_command = pgbackrest …"
    assert "WAL is archived by somebody else" in str(
        settings_refusal(theirs, WANTED, is_ours, replace_archive_command=False)
    )
    assert settings_refusal(theirs, WANTED, is_ours, replace_archive_command=True) is None


def test_somebodys_command_that_waits_for_the_restart_is_somebodys_too() -> None:
    waiting = found() | {
        "archive_mode": setting("archive_mode", "off", configured="on"),
        "archive_command": setting("archive_command", "(disabled)", configured="barman-wal-archive backup db %p"),
    }
    assert others_archive_command(waiting, is_ours) == "archive_command = barman-wal-archive …"
    off = waiting | {"archive_mode": setting("archive_mode", "off")}
    assert others_archive_command(off, is_ours) is None
    unread = found(archive_mode="on", archive_command="ours") | {
        "archive_command": setting("archive_command", "ours", configured="wal-g wal-push %p")
    }
    assert others_archive_command(unread, is_ours) == "archive_command = wal-g …"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("PGPASSWORD='a b c' push --password hunter2", "push …"),
        ('SECRET="a b" /opt/wal-g/bin/wal-g wal-push %p', "/opt/wal-g/bin/wal-g …"),
        ("(export TOKEN=x; push %p)", "(a command of the shell)"),
        ("$(cat /secret) %p", "(a command of the shell)"),
        ("push 'unbalanced", "(a command of the shell)"),
    ],
)
def test_of_somebodys_command_only_the_program_is_shown(command: str, shown: str) -> None:
    theirs = found(archive_mode="on", archive_command=command)
    assert others_archive_command(theirs, is_ours) == f"archive_command = {shown}"
    fixed = theirs | {"archive_command": setting("archive_command", command, source="command line")}
    assert f"archive_command = {shown} comes from" in str(
        settings_refusal(fixed, WANTED, is_ours, replace_archive_command=True)
    )


def test_a_library_that_archives_is_somebody_elses_too() -> None:
    theirs = found(archive_mode="on", archive_library="basic_archive")
    assert others_archive_command(theirs, is_ours) == "archive_library = basic_archive"
    assert differing_settings(theirs, WANTED)["archive_library"] == ""


def test_what_alter_system_cannot_change_is_said() -> None:
    fixed = found() | {"archive_mode": setting("archive_mode", "off", source="command line")}
    assert settings_refusal(fixed, WANTED, is_ours, replace_archive_command=False) == (
        "archive_mode = off comes from the command line of the server, which wins over all files and ALTER SYSTEM"
    )
    good = found() | {"wal_level": setting("wal_level", "logical", source="command line")}
    assert settings_refusal(good, WANTED, is_ours, replace_archive_command=False) is None
    closed = found(allow_alter_system="off", archive_mode="on", archive_command="ours")
    assert settings_refusal(closed, WANTED, is_ours, replace_archive_command=False) == (
        "allow_alter_system is off, so these have to be written where this server is configured: archive_timeout = '60'"
    )
