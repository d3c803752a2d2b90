"""Ages, completeness, and the server's side of archiving."""

from __future__ import annotations

from datetime import timedelta

import pytest

from checks.backup_age import (
    age_failures,
    archiving_failures,
    backup_refusal,
    newest_complete_set,
    proof_failures,
)
from tests.unit.build import at, backup, name, repo, server, wal

RPO = timedelta(hours=1)


def test_young_repository() -> None:
    assert age_failures(repo(backup("A", 2), wal=wal([2, 3])), at(10), RPO) == []


def test_old_repository_says_every_age() -> None:
    old = repo(backup("A", 2), wal=wal([2, 3]))
    assert age_failures(old, at(15 * 1440), RPO) == [
        "newest set A is 15.0 days old (hourly ones are due)",
        "newest full set is 15.0 days old (weekly ones are due)",
        "newest WAL is 15.0 days old; the RPO is 60 min",
    ]


def test_ages_are_said_in_fitting_units() -> None:
    old = repo(backup("A", 2), wal=wal([2, 3]))
    assert age_failures(old, at(4 + 61), RPO) == ["newest WAL is 61 min old; the RPO is 60 min"]
    assert age_failures(old, at(4 + 300), RPO)[0] == "newest set A is 5.0 h old (hourly ones are due)"


def test_wal_exactly_as_old_as_the_rpo_is_young_enough() -> None:
    assert age_failures(repo(backup("A", 2), wal=wal([2, 3])), at(4 + 60), RPO) == []


@pytest.mark.parametrize(
    "sets_and_wal",
    [
        repo(),
        repo(wal=wal([2, 3])),
        repo(backup("A", 2), wal=()),
        repo(backup("A", 2, 4), wal=wal([2, 3])),
        repo(backup("A", 2, 4), wal=wal([2, 4])),  # a hole between start and stop
        repo(backup("A", 2, timeline=2), wal=wal([2])),  # the same number on another timeline
        repo(backup("A", 2, damaged=True), wal=wal([2])),
    ],
)
def test_no_complete_set(sets_and_wal: object) -> None:
    assert newest_complete_set(sets_and_wal) is None  # type: ignore[arg-type]
    assert age_failures(sets_and_wal, at(5), RPO) == ["holds no complete and sound backup set"]  # type: ignore[arg-type]


def test_newest_complete_set_is_not_the_newest_set() -> None:
    found = newest_complete_set(repo(backup("A", 2), backup("B", 5, 6), wal=wal([2, 3, 5])))
    assert found and found.label == "A"


def test_backup_just_taken() -> None:
    taken = backup("A", 0xFF, 0x101)
    assert proof_failures(taken, repo(taken, wal=wal([0xFF, 0x100, 0x101]))) == []
    assert proof_failures(taken, repo(taken, wal=wal([0xFF, 0x101]))) == [f"WAL segment {name(0x100)} has not arrived"]
    assert proof_failures(None, repo()) == ["it is not listed in its repository"]
    assert proof_failures(backup("A", 2, damaged=True), repo(wal=wal([]))) == [
        "pages with a wrong checksum were copied: the database itself is damaged",
        f"WAL segment {name(2)} has not arrived",
    ]


def test_archiving_that_works() -> None:
    assert archiving_failures(server(5, last_archived_at=at(4))) == []
    mended = server(5, archive_failures=3, last_archive_failure_at=at(3), last_archived_at=at(4))
    assert archiving_failures(mended) == []


def test_archiving_that_fails() -> None:
    failing = server(
        5,
        archive_failures=3,
        last_archive_failure_at=at(4),
        last_archived_at=at(3),
        segments_waiting=tuple(name(n) for n in range(9)),
        settings={"archive_mode": "off"},
    )
    assert archiving_failures(failing) == [
        "archive_mode is off: no WAL leaves the server (recover site prepare --apply)",
        "archiving fails: 3 failures, the last 1 min ago",
        "9 WAL segments wait to be archived and fill the primary's disk",
    ]
    assert archiving_failures(server(5, archive_failures=1, last_archive_failure_at=at(4))) != []


def test_server_that_no_backup_can_be_taken_from() -> None:
    assert backup_refusal(server()) is None
    assert backup_refusal(server(in_recovery=True)) == "the server named as primary is a standby"
    assert backup_refusal(server(settings={})) == (
        "archive_mode is off, so a backup would have no WAL to become consistent with"
    )
