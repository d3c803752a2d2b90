"""LSNs, segment names, timelines and their histories."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.wal import History, Segment, Switch, format_lsn, parse_lsn, segment_bytes_of
from tests.unit.build import SEGMENT_BYTES, lsn

sizes = st.sampled_from([1 << power for power in range(20, 31)])
positions = st.integers(0, 2**64 - 1)


@given(positions)
def test_lsn_there_and_back(position: int) -> None:
    assert parse_lsn(format_lsn(position)) == position


@pytest.mark.parametrize(
    ("text", "position"), [("0/5000060", 0x5000060), ("1/0", 1 << 32), ("ffffffff/FFFFFFFF", 2**64 - 1)]
)
def test_lsn_as_postgres_writes_it(text: str, position: int) -> None:
    assert parse_lsn(text) == position


@pytest.mark.parametrize("text", ["", "0", "0/", "/0", "0/123456789", "0/5000060\n", " 0/1", "0/G", "-1/0", "0x1/0"])
def test_what_is_no_lsn(text: str) -> None:
    with pytest.raises(ValueError, match="is not an LSN"):
        parse_lsn(text)


@given(st.integers(1, 2**32 - 1), positions, sizes)
def test_segment_name_there_and_back(timeline: int, position: int, size: int) -> None:
    segment = Segment.holding(timeline, position, size)
    assert Segment.parse(segment.name(size), size) == segment


@given(st.integers(1, 9), st.integers(0, 2**40), sizes)
def test_names_sort_as_segments_do(timeline: int, number: int, size: int) -> None:
    assert Segment(timeline, number).name(size) < Segment(timeline, number + 1).name(size)


def test_last_segment_of_a_log_file_is_followed_by_the_first_of_the_next() -> None:
    """There is no FF hole: PostgreSQL 9.3 and newer use it."""
    names = [Segment(1, number).name(SEGMENT_BYTES) for number in (0xFE, 0xFF, 0x100)]
    assert names == ["0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000"]


@pytest.mark.parametrize("text", ["", "0" * 23, "0" * 25, "00000001000000000000000g", "0" * 24 + "\n", "a" * 24])
def test_what_is_no_segment(text: str) -> None:
    with pytest.raises(ValueError, match="is not a WAL segment"):
        Segment.parse(text, SEGMENT_BYTES)


@given(st.integers(1, 9), st.integers(0, 2**33), sizes)
def test_size_of_segments_is_seen_from_any_position_past_the_first_segment(where: int, high: int, size: int) -> None:
    position = (high << 32) + size * (where % (2**32 // size)) + 0x28
    found = segment_bytes_of(position, Segment.holding(1, position, size).name(size))
    assert found == (size if where % (2**32 // size) else None)


def test_size_of_segments_is_unknown_where_name_and_position_disagree() -> None:
    assert segment_bytes_of(0x5000060, "000000010000000000000009") is None


THREE = "1\t0/6800000\tno recovery target specified\n\n2\t0/9800000\tbefore 2026-01-15 11:09:30.5+01\n"


def test_history_file() -> None:
    history = History.parse(3, THREE)
    assert history.timelines == (1, 2, 3)
    assert history.switches == (
        Switch(1, lsn(6.5), "no recovery target specified"),
        Switch(2, lsn(9.5), "before 2026-01-15 11:09:30.5+01"),
    )
    assert [one.recovered_to for one in history.switches] == [
        None,
        datetime(2026, 1, 15, 10, 9, 30, 500000, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("reason", "moment"),
    [
        ("before 2026-01-15 10:00:00+00", datetime(2026, 1, 15, 10, tzinfo=UTC)),
        ("before 2026-01-15 10:00:00+05:30", datetime(2026, 1, 15, 4, 30, tzinfo=UTC)),
        ("after 2026-01-15 10:00:00-08", datetime(2026, 1, 15, 18, tzinfo=UTC)),
        ("before 2000-01-01 00:00:00+00", None),
        ("before 2026-13-45 10:00:00+00", None),
        ("after LSN 0/6800000", None),
        ('at restore point "before 2026-01-15"', None),
        ("no recovery target specified", None),
        ("", None),
    ],
)
def test_moment_of_a_switch(reason: str, moment: datetime | None) -> None:
    assert Switch(1, 0, reason).recovered_to == moment


def test_history_with_spaces_comments_and_no_reason() -> None:
    text = "# made by hand\n1 0/6800000 no recovery target specified\n2\t0/9800000\n"
    assert History.parse(3, text).timelines == (1, 2, 3)


def test_damaged_history_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="is not an LSN"):
        History.parse(2, "1\tgarbage\tno recovery target specified")


def test_what_lies_on_the_way() -> None:
    way = History.parse(3, THREE)
    assert way.holds(1, lsn(6.5)) and not way.holds(1, lsn(6.5) + 1)
    assert way.holds(2, lsn(9)) and not way.holds(2, lsn(10))
    assert way.holds(3, 2**60) and not way.holds(4, 0)


@pytest.mark.parametrize(("number", "timeline"), [(5, 1), (6, 2), (8, 2), (9, 3), (100, 3)])
def test_at_a_switch_the_newer_timeline_is_read(number: int, timeline: int) -> None:
    assert History.parse(3, THREE).timeline_read_at(number, SEGMENT_BYTES) == timeline


def test_two_switches_in_one_segment() -> None:
    way = History(3, (Switch(1, lsn(6.2), ""), Switch(2, lsn(6.8), "")))
    assert [way.timeline_read_at(number, SEGMENT_BYTES) for number in (5, 6, 7)] == [1, 3, 3]


def test_switch_at_the_border_of_a_segment() -> None:
    way = History(2, (Switch(1, lsn(6), ""),))
    assert [way.timeline_read_at(number, SEGMENT_BYTES) for number in (5, 6)] == [1, 2]
