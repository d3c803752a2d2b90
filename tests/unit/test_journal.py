"""The journal: on disk at once, without secrets, readable after a crash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recovery.journal import DEFAULT_LISTENERS, Journal, current_journal, note_hangup, open_journal, writing_to
from recovery.redaction import MASK, remember_secret


@dataclass(frozen=True)
class Thing:
    at: datetime
    where: Path
    names: frozenset[str]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_journal(tmp_path / "runs", "restore")


def said(journal: Journal) -> list[dict[str, Any]]:
    return [{key: value for key, value in one.items() if key not in ("at", "run")} for one in journal.entries()]


def test_step_is_noted_from_begin_to_end(journal: Journal) -> None:
    with journal.step("action", "promote_copy"):
        assert [one["event"] for one in said(journal)] == ["begin"]  # on disk before the step goes on
    begin, done = said(journal)
    assert begin == {"event": "begin", "kind": "action", "step": "promote_copy"}
    assert done == {"event": "done", "kind": "action", "step": "promote_copy", "seconds": done["seconds"]}


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt("bad"), SystemExit("bad")])
def test_failure_is_noted_and_goes_on(journal: Journal, error: BaseException) -> None:
    with pytest.raises(type(error)), journal.step("action", "promote_copy"):
        raise error
    assert said(journal)[1]["error"] == f"{type(error).__name__}: bad"


def test_facts_are_written_as_plain_values(journal: Journal) -> None:
    thing = Thing(datetime(2026, 1, 15, tzinfo=UTC), Path("/data"), frozenset({"b", "a"}))
    journal.write("note", thing=thing)
    assert said(journal)[0]["thing"] == {
        "at": "2026-01-15T00:00:00+00:00",
        "where": "/data",
        "names": ["a", "b"],
    }


@pytest.mark.parametrize("secret", ["pass-of-journal", 'with"quote', "with\\backslash", "schlüssel-ß", "two\nlines"])
def test_no_secret_on_disk_however_json_writes_it(journal: Journal, secret: str) -> None:
    remember_secret(secret)
    journal.write("note", message=f"it is {secret}.", argv=["tool", secret], thing={"inner": {"x": secret}})
    entry = said(journal)[0]
    assert entry == {
        "event": "note",
        "message": f"it is {MASK}.",
        "argv": ["tool", MASK],
        "thing": {"inner": {"x": MASK}},
    }
    assert secret not in journal.file.read_text()
    assert json.dumps(secret)[1:-1] not in journal.file.read_text()


@pytest.mark.parametrize("message", ['password="x"', "token='", 'secret: "', "password=\\", '{"password": "x"}'])
def test_every_line_stays_json_whatever_is_hidden_in_it(journal: Journal, message: str) -> None:
    journal.write("note", message=message)
    json.loads(journal.file.read_text())


def test_line_that_a_crash_cut_short_is_passed_over(journal: Journal) -> None:
    journal.write("note", message="one")
    with journal.file.open("a") as out:
        out.write('{"at": "2026-')
    assert [one["message"] for one in said(journal)] == ["one"]


def test_document_beside_the_journal_has_no_secret(journal: Journal) -> None:
    remember_secret("pass-of-document")
    assert journal.leave("plan.md", "it is pass-of-document").read_text() == f"it is {MASK}"


def test_listeners_hear_what_is_on_disk(journal: Journal) -> None:
    remember_secret("pass-of-listener")
    heard: list[dict[str, Any]] = []
    DEFAULT_LISTENERS.append(heard.append)
    try:
        journal.write("note", message="pass-of-listener")
    finally:
        DEFAULT_LISTENERS.remove(heard.append)
    assert heard == journal.entries()


def test_current_journal_is_the_innermost(journal: Journal, tmp_path: Path) -> None:
    other = open_journal(tmp_path, "backup")
    assert current_journal() is None
    with writing_to(journal), writing_to(other):
        assert current_journal() is other
    assert current_journal() is None


def test_runs_have_names_of_their_own(tmp_path: Path) -> None:
    names = {open_journal(tmp_path, "backup").run_id for _ in range(20)}
    assert len(names) == 20
    assert all((tmp_path / name).stat().st_mode & 0o007 == 0 for name in names)


def test_a_closed_terminal_ends_nothing_also_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in a signal handler: what is raised there would end the recovery."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with writing_to(open_journal(tmp_path / "runs", "restore")):
        monkeypatch.setattr("recovery.journal.os.fsync", full)
        note_hangup()
