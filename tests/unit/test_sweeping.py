"""Two test processes start at once: what a killed run left is removed by one of them at a time."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from tests import fix_sandbox
from tests.waiting import PATIENCE, until


def test_one_test_process_sweeps_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_sandbox, "_ROOM", tmp_path)
    stale = tmp_path / f"cvt-{2**30}-left"  # no process has this number
    stale.mkdir()
    with (tmp_path / f"cvt.{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waits = f":{os.fstat(lock.fileno()).st_ino} "
        sweeping = threading.Thread(target=fix_sandbox._sweep)
        sweeping.start()
        until(
            lambda: any("->" in one and waits in one for one in Path("/proc/locks").read_text().splitlines()),
            what="the one that waits",
        )
        assert stale.exists()
    sweeping.join(PATIENCE)
    assert not stale.exists()
