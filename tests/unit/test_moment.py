"""Moments: one text, one moment, or a refusal that says what to write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checks.moment import read_moment
from recovery.facts import Refusal

EXAMPLE = "write it with seconds and a zone, e.g. 2024-01-15T10:30:00Z or '2024-01-15 10:30:00 Europe/Berlin'"


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15T10:30:00Z",
        "2024-01-15 10:30:00 UTC",
        "2024-01-15T11:30:00+01",
        "2024-01-15T11:30:00+0100",
        "2024-01-15 11:30:00 +01:00",
        "2024-01-15 02:30:00.000-08:00",
        "2024-01-15 16:00:00+05:30",
        "2024-01-15 11:30:00 Europe/Berlin",
        "2024-01-15 07:30:00 America/Argentina/Buenos_Aires",
        "  2024-01-15T10:30Z\n",
    ],
)
def test_ways_to_write_a_moment(text: str) -> None:
    assert read_moment(text) == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def test_microseconds_are_kept() -> None:
    assert read_moment("2024-01-15T10:30:00.123456Z") == datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2024-01-15 10:30:00", "'2024-01-15 10:30:00' has no zone"),
        ("yesterday", "'yesterday' is not a moment"),
        ("", "'' is not a moment"),
        ("2024-02-30T10:30:00Z", "'2024-02-30T10:30:00Z' is not a moment: day is out of range for month"),
        (
            "2024-01-15 10:30:00 Europe/Atlantis",
            "'2024-01-15 10:30:00 Europe/Atlantis': there is no time zone Europe/Atlantis",
        ),
        (
            "2024-01-15 10:30:00 America/Argentina",
            "'2024-01-15 10:30:00 America/Argentina': there is no time zone America/Argentina",
        ),
        ("1700000000", "'1700000000' is not a moment"),
        ("2024-01-15 10:30:00 CET", "'2024-01-15 10:30:00 CET' is not a moment"),
    ],
)
def test_unclear_texts(text: str, problem: str) -> None:
    assert read_moment(text) == Refusal(problem, EXAMPLE)


def test_hour_that_comes_twice() -> None:
    assert read_moment("2024-10-27 02:30:00 Europe/Berlin") == Refusal(
        "'2024-10-27 02:30:00 Europe/Berlin' is not one moment: clocks in Europe/Berlin change there",
        "write 2024-10-27T00:30:00Z or 2024-10-27T01:30:00Z",
    )


def test_hour_that_never_comes() -> None:
    assert read_moment("2024-03-31 02:30:00 Europe/Berlin") == Refusal(
        "'2024-03-31 02:30:00 Europe/Berlin' is not one moment: clocks in Europe/Berlin change there",
        "write 2024-03-31T00:30:00Z or 2024-03-31T01:30:00Z",
    )


@given(st.text("0123456789-T: .Z+/abErope_\n٣é'\\", max_size=40))
@example("0001-01-01 00:00:00 Asia/Tokyo")
@example("9999-12-31 23:59:59 America/Los_Angeles")
@example("0001-01-01 00:00:00+14")
@example("2024-01-15 10:30:00+24:00")
@example("٢٠٢٤-٠١-١٥ ١٠:٣٠:٠٠Z")
@example("2024-01-15 10:30:60Z")
@example("2024-01-15 10:30:00 ../../etc/passwd")
@example("2024-01-15 10:30:00 Europe/--")
def test_any_text_is_a_moment_or_a_refusal(text: str) -> None:
    assert isinstance(read_moment(text), (datetime, Refusal))


@given(
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([+-][0-9]{2}(:[0-9]{2})?|Z)", fullmatch=True
    )
)
def test_anything_like_a_moment_is_one_or_a_refusal(text: str) -> None:
    assert isinstance(read_moment(text), (datetime, Refusal))


@given(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(UTC)))
def test_moment_there_and_back(moment: datetime) -> None:
    assert read_moment(moment.isoformat()) == moment
