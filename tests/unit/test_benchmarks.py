"""A benchmark that brings back nothing gives no number; its table says whether the aims were met."""

import json

import pytest

from benchmarks.dumps import DUMP
from benchmarks.engine import ENGINE
from benchmarks.flow import FLOW, FLOW_CHECKED
from benchmarks.measure import Content, Contestant, Restored, Taken
from benchmarks.race import require_same, turn
from benchmarks.results import CHECKED_TABLES, Row, aims, medians, table, write
from recovery.errors import VerificationFailed

EXPECTED = Content({"users": 3, "widgets": 5}, 1000)


def contestant(found, missing=None, forgotten=None):
    return Contestant(
        "one",
        lambda: Taken("set", 1.0, 10),
        {"one": lambda _taken: Restored(2.0, found)},
        (forgotten if forgotten is not None else []).append,
        missing,
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({}, "one brought back None rows of users, not 3"),
        ({"users": 3, "widgets": 4}, "one brought back 4 rows of widgets, not 5"),
        ({"users": 3, "widgets": 5, "odd": 1}, "one brought back 1 rows of odd, not None"),
    ],
)
def test_a_restore_that_brings_back_something_else_fails(rows, said):
    forgotten = []
    with pytest.raises(VerificationFailed) as raised:
        list(turn(contestant(Content(rows, 1000), forgotten=forgotten), EXPECTED))
    assert raised.value.problem == said
    assert len(forgotten) == 1, "what a failing contestant stored is removed too"


def test_an_empty_site_proves_nothing():
    with pytest.raises(VerificationFailed):
        require_same("one", Content({}, 0), Content({}, 0))


def test_a_turn_measures_backup_and_restore():
    rows = list(turn(contestant(EXPECTED), EXPECTED))
    assert rows == [Row("backup", "one", 1.0, 10), Row("restore", "one", 2.0, 1000)]


def test_who_is_missing_is_named():
    rows = medians(turn(contestant(EXPECTED, missing="not installed"), EXPECTED))
    assert [(row.seconds, row.why) for row in rows] == [(None, "not installed")] * 2
    assert "not installed" in table(rows)


def test_the_middle_of_several_turns_counts():
    rows = medians(Row("backup", "one", seconds, 10) for seconds in (9.0, 1.0, 2.0))
    assert rows == [Row("backup", "one", 2.0, 10)]


def race_with(flow, engine, dump):
    times = {FLOW: flow, ENGINE: engine, DUMP: dump}
    return [Row(work, who, seconds, 10**6) for work in ("backup", "restore") for who, seconds in times.items()]


def test_aims_are_met_or_not():
    assert [aim.met for aim in aims(race_with(10.0, 8.0, 45.0))] == [True, True, True, True]
    assert [aim.met for aim in aims(race_with(11.5, 8.0, 30.0))] == [False, True, False, False]


def test_the_proof_has_aims_of_its_own():
    rows = [*race_with(10.0, 8.0, 45.0), Row("restore", FLOW_CHECKED, 16.0, 1), Row("check", CHECKED_TABLES, 15.0, 1)]
    with_checks, small_tables = aims(rows)[4:]
    assert with_checks.text == "restore: flow with checks 16.0 s, flow without 10.0 s (aim: at most 1.6 ×, 16.0 s)"
    assert small_tables.text == "3,000 small tables checked in 15.0 s (aim: less than 15 s)"
    assert (with_checks.met, small_tables.met) == (True, False)


def test_rows_are_written_as_json(tmp_path):
    file = tmp_path / "results.json"
    write([Row("backup", "one", 1.5, 10), Row("restore", "one", None, None, "gone")], file)
    assert json.loads(file.read_text()) == [
        {"work": "backup", "who": "one", "seconds": 1.5, "bytes": 10},
        {"work": "restore", "who": "one", "seconds": None, "bytes": None, "why": "gone"},
    ]
