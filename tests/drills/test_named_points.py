"""A named restore point is found wherever it lies, and the copy stands exactly there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.errors import SettingsInvalid
from recovery.facts import DatabaseAddress
from sandbox.faults import repository
from sandbox.faults.report import Options
from tests.fix_drills import Drill, address_of
from tests.waiting import until

REFUSED = 14
RESTORE = ("backup", "restore")
NAMES = [' it\'s "so" \\ $HOME; 100% größe ☂ ', "n" * 63]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def marked(drill: Drill) -> Iterator[Drill]:
    """The site with a table of marks, apart from the application's data."""
    in_postgres(drill, "CREATE TABLE IF NOT EXISTS marks (number bigint)")
    yield drill
    in_postgres(drill, "DROP TABLE marks")


@pytest.fixture(autouse=True)
def _nothing_is_left(drill: Drill) -> Iterator[None]:
    yield
    assert drill.leftovers() == []


def in_postgres(drill: Drill, statement: str) -> None:
    with connect(drill.sandbox.admin_address(database="postgres")) as connection:
        connection.execute(statement.encode())


def mark(drill: Drill) -> int:
    number = next(_numbers)
    in_postgres(drill, f"INSERT INTO marks VALUES ({number})")
    return number


def make_point(drill: Drill, name: str) -> str:
    """Make a restore point; the position it is refused or found by."""
    end: str = drill.sql("SELECT pg_create_restore_point(%s)::text", name)
    return end


def close_segment(drill: Drill) -> None:
    """Have the current WAL segment archived, and something written after it."""
    segment = drill.sql("SELECT pg_walfile_name(pg_switch_wal())")
    archived = "SELECT coalesce(last_archived_wal, '') >= %s FROM pg_stat_archiver"
    until(lambda: drill.sql(archived, segment), what=f"archiving of {segment}")
    mark(drill)


def stands_exactly(drill: Drill, name: str, before: int, after: int) -> None:
    report = drill.restored("--target-name", name)
    try:
        assert report["reached"]["proof"].startswith(f'recovery stopping at restore point "{name}", time ')
        assert marks_in(report) == set(range(min(marks_in(report)), before + 1))
        assert after not in marks_in(report)
    finally:
        drill.drop(report)


def marks_in(report: dict[str, Any]) -> set[int]:
    with connect(replace(address_of(report), name="postgres")) as connection:
        return {row[0] for row in connection.execute("SELECT number FROM marks")}


@pytest.mark.parametrize("name", NAMES)
def test_in_the_segment_that_is_still_open(marked: Drill, name: str) -> None:
    before = mark(marked)
    make_point(marked, name)
    after = mark(marked)
    stands_exactly(marked, name, before, after)


@pytest.mark.works("backup restore --target-name")
def test_in_an_older_segment_and_beside_a_name_that_begins_alike(marked: Drill) -> None:
    make_point(marked, "nightly 2")
    before = mark(marked)
    make_point(marked, "nightly")
    after = mark(marked)
    make_point(marked, "nightly 3")
    close_segment(marked)
    close_segment(marked)
    stands_exactly(marked, "nightly", before, after)


@pytest.mark.long
def test_onto_the_sites_server(marked: Drill) -> None:
    make_point(marked, "for the server")
    marked.do("CREATE TABLE made_later ()")
    try:
        report = marked.restored("--target-name", "for the server", "--target-database", "at_point")
        assert report["database"] == "at_point"
        there = DatabaseAddress(**{**marked.sandbox.admin_address().__dict__, "name": "at_point"})
        assert marked.sql("SELECT to_regclass('made_later')::text", address=there) is None
        assert marked.sql("SELECT to_regclass('users')::text", address=there) == "users"
    finally:
        marked.do("DROP TABLE made_later", "DROP DATABASE IF EXISTS at_point")


@pytest.mark.long
def test_a_name_given_twice_is_refused_with_both_positions_and_moments(marked: Drill) -> None:
    before = mark(marked)
    make_point(marked, "release")
    after = mark(marked)
    close_segment(marked)
    make_point(marked, "release")
    said = marked.refusal(*RESTORE, "--target-name", "release", status=REFUSED)
    moment, lsn = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} UTC", r"[0-9A-F]+/[0-9A-F]+"
    found = re.fullmatch(
        rf"restore point 'release' was made 2 times: at ({moment}) \(LSN ({lsn})\); at ({moment}) \(LSN ({lsn})\)\n"
        rf"NEXT: say which: --target-lsn=({lsn}) or --target-lsn=({lsn})",
        said,
    )
    assert found, said
    assert found[1] < found[3]
    assert (found[2], found[4]) == (found[5], found[6])
    # The way out that it names leads there.
    report = marked.restored("--target-lsn", found[5])
    try:
        assert before in marks_in(report)
        assert after not in marks_in(report)
    finally:
        marked.drop(report)


@pytest.mark.refuses("backup restore --target-name")
def test_a_name_that_was_never_given_is_refused_with_those_that_were(marked: Drill) -> None:
    make_point(marked, "the newest one")
    said = marked.refusal(*RESTORE, "--target-name", "the newest", status=REFUSED)
    assert re.fullmatch(
        r"restore point 'the newest' was not found in the archived WAL of timeline 1 \(\d+ segments read\)\n"
        r"NEXT: check the name \(the newest there are: 'the newest one', .*\); or restore to a moment: --target-time",
        said,
    ), said


@pytest.mark.long
def test_where_a_segment_is_missing_nobody_says_that_there_is_no_such_point(marked: Drill) -> None:
    lost = repository.lose_wal_segment(marked.sandbox, Options())
    segment = lost.details["segment"]
    try:
        said = marked.refusal(*RESTORE, "--target-name", "nowhere", status=REFUSED)
    finally:
        repository.put_segment_back(marked.sandbox, lost.kept)
    assert re.match(
        rf"restore point 'nowhere' was not found in the \d+ segments of timeline 1 that could be read; "
        rf"1 could not be read \({segment}\)\nNEXT: run recover backup check",
        said,
    ), said


def test_repositories_that_cannot_be_read_are_not_taken_for_a_missing_point(marked: Drill) -> None:
    make_point(marked, "there")
    text = marked.settings.read_text()
    other_key = re.sub(
        r"^encryption_key = .*$", 'encryption_key = "not the key of these repositories"', text, flags=re.M
    )
    closed = Drill(marked.sandbox, marked.settings.with_name("closed.toml"), marked.more)
    closed.settings.touch(mode=0o600)
    closed.settings.write_text(other_key)
    said = closed.refusal(*RESTORE, "--target-name", "there", status=SettingsInvalid.exit_code)
    assert said.startswith(
        "no repository says whose WAL it holds: its files make no sense with this encryption key\nNEXT: "
    ), said
