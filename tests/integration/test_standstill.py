"""The standby's replay is paused for as long as its rows are counted; what somebody else paused stays paused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.record import Snapshot, standstill
from recovery.errors import VerificationFailed
from recovery.facts import DatabaseAddress
from recovery.journal import open_journal, writing_to
from recovery.site import site
from sandbox.layout import Sandbox
from tasks.records import record_site_facts
from tests.fix_sandbox import ask
from tests.waiting import until

STATE, MARK = "SELECT pg_get_wal_replay_pause_state()", "standby-paused"
PAUSE, RESUME = "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"


@pytest.fixture
def standby(sandbox: Sandbox) -> Iterator[DatabaseAddress]:
    """The standby as its superuser sees it; afterwards it replays."""
    yield sandbox.admin_address("standby")
    ask(sandbox, RESUME, server="standby")


@pytest.fixture
def here(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The sandbox is this process's site; its folder of state."""
    monkeypatch.setenv("RECOVERY_CONFIG", str(sandbox.settings_file))
    site.cache_clear()
    mark = site().settings.site.state_dir / MARK
    mark.unlink(missing_ok=True)
    yield mark.parent
    mark.unlink(missing_ok=True)
    site.cache_clear()


def state(sandbox: Sandbox) -> object:
    return ask(sandbox, STATE, server="standby")


def change(sandbox: Sandbox, statement: str) -> None:
    """In the database to which the pausing role connects: rights on functions are per database."""
    with connect(sandbox.admin_address(database="postgres")) as connection:
        connection.execute(statement.encode())


def pause(sandbox: Sandbox) -> None:
    ask(sandbox, PAUSE, server="standby")
    until(lambda: state(sandbox) == "paused", what="the pause")


def stand(standby: DatabaseAddress, mark: Path) -> Snapshot:
    with standstill(replace(standby, name="postgres"), standby, mark) as seen:
        return seen


def recorded(folder: Path) -> tuple[bool, str]:
    """Whether the site's facts are exact, and what was said."""
    with writing_to(open_journal(folder, "record")) as journal:
        facts = record_site_facts()
    return facts.exact, (journal.folder / "journal.jsonl").read_text()


def test_replay_stands_still_and_goes_on(sandbox: Sandbox, standby: DatabaseAddress, tmp_path: Path) -> None:
    with standstill(replace(standby, name="postgres"), standby, tmp_path / MARK) as seen:
        assert state(sandbox) == "paused"
        with pytest.raises(VerificationFailed) as other:
            stand(standby, tmp_path / MARK)
        assert other.value.problem == "another run has paused the standby's replay"
        assert (state(sandbox), seen.exact) == ("paused", True)
    assert (state(sandbox), (tmp_path / MARK).read_text()) == ("not paused", "")


def test_a_standby_that_a_person_paused_is_left_alone(
    sandbox: Sandbox, standby: DatabaseAddress, here: Path, tmp_path: Path
) -> None:
    assert recorded(tmp_path)[0]
    pause(sandbox)
    exact, said = recorded(tmp_path)
    assert (state(sandbox), exact) == ("paused", False)
    assert "rows are counted on the primary" in said and "the standby's replay is paused, and not by us" in said


def test_a_pause_that_a_killed_run_left_is_taken_over(
    sandbox: Sandbox, standby: DatabaseAddress, tmp_path: Path
) -> None:
    pause(sandbox)
    (tmp_path / MARK).write_text(str(ask(sandbox, "SELECT pg_last_wal_replay_lsn()", server="standby")))
    assert stand(standby, tmp_path / MARK).exact
    assert (state(sandbox), (tmp_path / MARK).read_text()) == ("not paused", "")


def test_the_mark_of_a_killed_run_does_not_speak_for_a_later_pause(
    sandbox: Sandbox, standby: DatabaseAddress, tmp_path: Path
) -> None:
    (tmp_path / MARK).write_text("0/1")
    pause(sandbox)  # somebody let that one go on, and paused it again
    with pytest.raises(VerificationFailed):
        stand(standby, tmp_path / MARK)
    assert state(sandbox) == "paused"


def test_a_replay_that_cannot_go_on_is_said_loudly_and_tried_again(
    sandbox: Sandbox, standby: DatabaseAddress, here: Path, tmp_path: Path
) -> None:
    resume, function = site().standby_address(), "FUNCTION pg_wal_replay_resume()"
    revoke, grant = f"REVOKE EXECUTE ON {function} FROM", f"GRANT EXECUTE ON {function} TO"

    def right() -> bool:
        with connect(resume) as connection:
            query = "SELECT has_function_privilege('pg_wal_replay_resume()', 'EXECUTE')"
            return bool(one_row(connection, query)[0])

    change(sandbox, f"{revoke} {resume.user}")
    until(lambda: not right(), what="the missing right on the standby")
    try:
        exact, said = recorded(tmp_path)
    finally:
        ask(sandbox, RESUME, server="standby")
        change(sandbox, f"{grant} {resume.user}")
    assert not exact
    assert '"warning"' in said and "the standby's replay was paused and could not be resumed: " in said
    assert "pg_wal_replay_resume()" in said
    assert (here / MARK).read_text()  # by this the next run knows that the pause is ours


def test_a_mark_that_cannot_be_written_is_no_end_of_a_backup(
    sandbox: Sandbox, standby: DatabaseAddress, here: Path, tmp_path: Path
) -> None:
    (here / MARK).mkdir()
    try:
        exact, said = recorded(tmp_path)
    finally:
        (here / MARK).rmdir()
    assert (exact, state(sandbox)) == (False, "not paused")
    assert f"{here / MARK} cannot be written" in said
