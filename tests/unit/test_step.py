"""The decorators: who is tried again, what the journal says, and no Prefect where none is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import CommandFailed, GateRefused, RecoveryError, SettingsInvalid, TargetUnreachable
from recovery.facts import Progress
from recovery.journal import Journal, open_journal, writing_to
from tasks import step
from tasks.step import action, probe, progress_line, run_together, verify

ROOT = Path(__file__).parents[2]
UNREACHABLE = TargetUnreachable("db1 does not answer", "look")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_journal(tmp_path, "restore")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "_DELAYS_SECONDS", (0.0, 0.0, 0.0))


def failing(times: int, error: Exception) -> tuple[Callable[[], str], list[int]]:
    """A step that fails so often and then works, and how often it was called."""
    calls: list[int] = []

    def read_server() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "well"

    return read_server, calls


@pytest.mark.parametrize("kind", [probe, verify])
def test_unreachable_server_is_asked_again(kind: Any) -> None:
    function, calls = failing(3, UNREACHABLE)
    assert kind(function)() == "well"
    assert len(calls) == 4


def test_patience_ends() -> None:
    function, calls = failing(9, UNREACHABLE)
    with pytest.raises(TargetUnreachable):
        probe(function)()
    assert len(calls) == 4


@pytest.mark.parametrize(
    "error",
    [
        SettingsInvalid("wrong password", "correct it"),
        GateRefused("no", "do not"),
        CommandFailed("it failed", "look", ("tool",), 1, ""),
        ValueError("a bug"),
    ],
)
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    function, calls = failing(1, error)
    with pytest.raises(type(error)):
        probe(function)()
    assert len(calls) == 1


def test_action_is_never_repeated() -> None:
    function, calls = failing(1, UNREACHABLE)
    with pytest.raises(TargetUnreachable):
        action(function)()
    assert len(calls) == 1


def test_every_try_is_in_the_journal(journal: Journal) -> None:
    function, _ = failing(1, UNREACHABLE)
    with writing_to(journal):
        probe(function)()
    entries = journal.entries()
    assert [(one["event"], one.get("kind"), one.get("step")) for one in entries] == [
        ("begin", "probe", "read_server"),
        ("failed", "probe", "read_server"),
        ("warning", None, None),
        ("begin", "probe", "read_server"),
        ("done", "probe", "read_server"),
    ]
    assert entries[1]["error"] == "TargetUnreachable: db1 does not answer\nNEXT: look"
    assert entries[2]["message"] == "read_server: db1 does not answer; asking again"


def test_step_keeps_its_name_and_its_sentence() -> None:
    @action
    def promote_copy(name: str, *, wait: int = 3) -> str:
        """End the recovery of a copy."""
        return f"{name} {wait}"

    assert (promote_copy.__name__, promote_copy.__doc__) == ("promote_copy", "End the recovery of a copy.")
    assert promote_copy("x", wait=4) == "x 4"


def test_steps_side_by_side_write_one_journal(journal: Journal) -> None:
    @probe
    def read_one(number: int) -> int:
        return number * 10

    with writing_to(journal):
        assert run_together(*(lambda n=n: read_one(n) for n in (1, 2, 3))) == [10, 20, 30]
    assert [one["event"] for one in journal.entries()].count("done") == 3


def test_error_of_one_comes_after_all_have_ended() -> None:
    ended: list[int] = []

    def bad() -> None:
        raise RecoveryError("one failed", "look")

    with pytest.raises(RecoveryError, match="one failed"):
        run_together(bad, lambda: ended.append(1))
    assert ended == [1]


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("restore", 5_000_000, 10_000_000, 1e6), "restore · 50.0 % · 1.0 MB/s · 5 s left"),
        (Progress("restore", 20_000_000, 10_000_000, 1e6), "restore · 100.0 % · 1.0 MB/s · 0 s left"),
        (Progress("replay", detail="at LSN 0/1"), "replay · at LSN 0/1"),
        (Progress("waiting"), "waiting"),
    ],
)
def test_progress_as_a_line(progress: Progress, line: str) -> None:
    assert progress_line(progress) == line


FLOWS = sorted(file.stem for file in (ROOT / "flows").glob("*.py") if file.stem != "__init__")


def test_no_flow_imports_prefect_by_itself() -> None:
    """The way back must work on the day when Prefect does not."""
    imports = "; ".join(f"import flows.{name}" for name in FLOWS)
    heavy = "['prefect', 'great_expectations', 'sqlalchemy', 'kubernetes']"
    code = f"{imports}; import sys; print([one for one in {heavy} if one in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout == "[]\n"
