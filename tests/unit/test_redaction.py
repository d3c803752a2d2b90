"""Nothing that is a secret, or looks like one, passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.redaction import MASK, redact, remember_secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2 host=db1", f"password={MASK} host=db1"),
        ("PGPASSWORD=hunter2", f"PGPASSWORD={MASK}"),
        ("password='hunter2', next", f"password='{MASK}', next"),
        ('{"password": "hunter2", "host": "db1"}', f'{{"password": "{MASK}", "host": "db1"}}'),
        ("--repo1-cipher-pass=hunter2 --repo=1", f"--repo1-cipher-pass={MASK} --repo=1"),
        ("repo1-s3-key=AKIA repo1-s3-key-secret=abc", f"repo1-s3-key={MASK} repo1-s3-key-secret={MASK}"),
        ("aws_secret_access_key = abc/def+1", f"aws_secret_access_key = {MASK}"),
        ("postgresql://clickview:hunter2@db1:5432/x", f"postgresql://clickview:{MASK}@db1:5432/x"),
        ("redis://:hunter2@cache:6379/0", f"redis://:{MASK}@cache:6379/0"),
        ("https://api.clickview.app/health", "https://api.clickview.app/health"),
        ("https://host:443/a@b", "https://host:443/a@b"),
        ("the password is wrong", "the password is wrong"),
        ("", ""),
    ],
)
def test_what_looks_like_a_secret(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_remembered_value_is_hidden_everywhere() -> None:
    assert remember_secret("s3cr3t.value+1") == "s3cr3t.value+1"
    assert redact("it said s3cr3t.value+1, twice: s3cr3t.value+1") == f"it said {MASK}, twice: {MASK}"


def test_longer_secret_is_hidden_whole_when_a_shorter_one_begins_it() -> None:
    remember_secret("abcdwxyz")
    remember_secret("abcdwxyz-and-more")
    assert redact("x abcdwxyz-and-more y") == f"x {MASK} y"


def test_values_too_short_to_hide_without_destroying_every_text() -> None:
    remember_secret("abc")
    remember_secret("")
    assert redact("abc") == "abc"


@given(st.text("abc=:'\"password secretoken/@\\{}", max_size=60))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)
