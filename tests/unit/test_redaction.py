"""Nothing that is a secret, or looks like one, passes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recovery import redaction
from recovery.redaction import MASK, redact, remember_names, remember_secret

STRONG = "k9-Tz.4q+Wm_7r/Lx"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test knows its own secrets and names only."""
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_names", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    yield
    redaction._forget_pattern()


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


def test_a_path_that_the_settings_name_stays_whole() -> None:
    """With the word `sandbox` as a secret the log said /var/lib/clickview-•••/state."""
    remember_secret("sandbox")
    remember_names(["/var/lib/clickview-sandbox/state", "/var/lib/clickview-sandbox", "db.sandbox.example"])
    for text in (
        "see /var/lib/clickview-sandbox/state/runs/1",
        "'/var/lib/clickview-sandbox/writer.jsonl'",
        "db.sandbox.example does not answer",
        "a sandboxed thing",
    ):
        assert redact(text) == text
    assert redact("role x with sandbox was refused") == f"role x with {MASK} was refused"
    assert redact("postgresql://x:sandbox@db.sandbox.example/y") == f"postgresql://x:{MASK}@db.sandbox.example/y"


def test_a_name_covers_itself_only() -> None:
    remember_secret(STRONG)
    remember_names(["/var/lib/x", f"/srv/{STRONG}"])
    assert redact(f"/var/lib/x{STRONG} {STRONG}/var/lib/x") == f"/var/lib/x{MASK} {MASK}/var/lib/x"
    assert redact(f"/srv/{STRONG} but {STRONG}") == f"/srv/{STRONG} but {MASK}"


def test_a_secret_that_is_a_name_itself_is_hidden() -> None:
    remember_secret("clickview")
    remember_names(["clickview", "clickview-backups"])
    assert redact("clickview in clickview-backups") == f"{MASK} in clickview-backups"


def test_a_plain_word_is_hidden_where_it_stands_alone() -> None:
    remember_secret("welcome")
    remember_secret("-odd-")
    assert redact("welcome, 'welcome' xwelcome welcomed a-odd-b") == f"{MASK}, '{MASK}' xwelcome welcomed a{MASK}b"
    assert redact("it said:\\nwelcome") == f"it said:\\n{MASK}"


@given(st.text("aZ9-_./\\n", max_size=20), st.text("aZ9-_./\\n", max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_strong_secret_never_passes(before: str, after: str) -> None:
    remember_secret(STRONG)
    remember_secret("short")
    assert STRONG not in redact(f"{before}{STRONG}{after}{STRONG}")
    assert quote(STRONG, safe="") not in redact(f"{before}{quote(STRONG, safe='')}{after}")


@given(st.text("abc=:'\"password secretoken/@\\{}" + STRONG, max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hiding_twice_is_hiding_once(text: str) -> None:
    remember_secret("pass")
    remember_secret(STRONG)
    remember_names(["password", "/secret"])
    assert redact(redact(text)) == redact(text)
