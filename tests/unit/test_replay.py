"""When a copy has replayed all of the archive: when its server says so, not when it stands still for a while."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from recovery.adapters.postgres import replay as module
from recovery.adapters.postgres.recovered import CopyPlaces, RecoveredServer
from recovery.adapters.postgres.replay import Replay
from recovery.errors import VerificationFailed
from recovery.facts import BackupSet, RecoveryTarget, RestorePlan, TargetKind

LAST = "000000010000000000000009"
RESTORED = f'LOG:  restored log file "{LAST}" from archive\n'
AT = 0x9000100
PAUSED = "LOG:  recovery has paused\nDETAIL:  If recovery is unpaused, the server will shut down.\n"
OUT_OF_WAL = "RecoveryRetrieveRetryInterval"
NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


class Copy:
    """What the copy's server answers, one look after the other."""

    def __init__(self, log: str, *looks: tuple[str, str | None]) -> None:
        self._log, self._looks = log, list(looks)

    def log_text(self) -> str:
        return self._log

    def execute(self, *_: Any) -> Copy:
        return self

    def fetchone(self) -> tuple[Any, ...]:
        lsn, wait = self._looks.pop(0)
        return lsn, NOW, "not paused", wait


def replay(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> Replay:
    backup = BackupSet(**(dict.fromkeys(BackupSet.__dataclass_fields__) | {"start_lsn": 0x2000000}))  # type: ignore[arg-type]
    target = RecoveryTarget(TargetKind.LATEST)
    plan = RestorePlan(backup, target, 1, "000000010000000000000002", LAST, 0xA000000, 8, 1, 1.0, NOW)
    made = Replay(cast("RecoveredServer", copy), plan, lambda _progress: None)
    monkeypatch.setattr(made, "_look", lambda: made._read(copy))  # type: ignore[arg-type]
    return made


def test_a_copy_that_a_busy_machine_holds_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It restored the last segment and stood still for a second, in the middle of it: rows would be lost."""
    made = replay(Copy(RESTORED, ("0/9000100", None), ("0/9000100", None)), monkeypatch)
    assert not made.arrived()
    monkeypatch.setattr(made, "_moved_at", time.monotonic() - 3600)
    assert not made.arrived()


def test_the_end_is_there_when_the_server_finds_no_more_wal_and_moves_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replay(
        Copy(RESTORED, ("0/9000100", None), ("0/9000200", OUT_OF_WAL), ("0/9000200", OUT_OF_WAL)), monkeypatch
    )
    assert [made.arrived() for _ in range(3)] == [False, False, True]


def test_an_archive_that_ends_early_is_named_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    early = RESTORED.replace("09", "07")
    made = replay(Copy(early, ("0/7000100", OUT_OF_WAL), ("0/7000100", OUT_OF_WAL), ("0/7000100", None)), monkeypatch)
    assert not made.arrived()
    assert not made.arrived()
    monkeypatch.setattr(module, "_STANDSTILL_SECONDS", 0.0)
    assert not made.arrived()  # it may just be fetching the next one
    made = replay(Copy(early, ("0/7000100", OUT_OF_WAL), ("0/7000100", OUT_OF_WAL)), monkeypatch)
    assert not made.arrived()
    with pytest.raises(VerificationFailed) as refused:
        made.arrived()
    assert refused.value.problem == f"replay stands still at 0/7000100, before the last archived segment {LAST}"


def test_a_copy_is_started_again_when_its_primary_had_more_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """It pauses there, which is not the pause at the target."""
    copy = Copy(PAUSED)
    started: list[str] = []
    monkeypatch.setattr(copy, "start_again", lambda: started.append("again"), raising=False)
    made = replay(copy, monkeypatch)
    assert not made.arrived()
    assert started == ["again"]
    monkeypatch.setattr(copy, "_log", "")
    monkeypatch.setattr(made, "_target", RecoveryTarget(TargetKind.LSN, lsn=AT))
    monkeypatch.setattr(made, "_look", lambda: monkeypatch.setattr(copy, "_log", PAUSED) or True)
    assert not made.arrived()  # it paused between our look at the log and that at the server
    assert started == ["again", "again"]


@pytest.mark.parametrize(
    ("stopped", "proven"),
    [
        ('at restore point "release", time 2026-11-28 17:32:05.1+00', True),
        ('at restore point "release 2", time 2026-11-28 17:32:05.1+00', False),
        ('at restore point "a release", time 2026-11-28 17:32:05.1+00', False),
        ('after WAL location (LSN) "0/9000100"', False),
    ],
)
def test_the_servers_log_names_the_restore_point(stopped: str, proven: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replay(Copy(f"LOG:  recovery stopping {stopped}\n"), monkeypatch)
    monkeypatch.setattr(made, "_target", RecoveryTarget(TargetKind.NAME, name="release", lsn=AT))
    if proven:
        assert made.reached().proof == f"recovery stopping {stopped}"
        return
    monkeypatch.setattr(made, "_server", _Logged(made))
    with pytest.raises(VerificationFailed) as refused:
        made.reached()
    assert refused.value.problem == (
        "the copy paused, but its log does not say that it stopped at restore point release"
    )


class _Logged:
    """A server with a log, and a place where it lies."""

    def __init__(self, made: Replay) -> None:
        self.log_text = made._server.log_text
        self.places = CopyPlaces(Path("/copy"))
