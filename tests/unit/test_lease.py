"""The lease: one holder, whom everybody can see without standing in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recovery import lease
from recovery.errors import Busy
from recovery.lease import hold_lease, lease_holder
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
HOLD = "import sys; from pathlib import Path; from recovery.lease import hold_lease\n"
HOLD += "with hold_lease(Path(sys.argv[1]), 'serve'): print('held', flush=True); sys.stdin.read()"


def test_holder_is_whoever_holds_it_now(tmp_path: Path) -> None:
    assert lease_holder(tmp_path, "serve") is None
    with hold_lease(tmp_path, "serve"):
        assert lease_holder(tmp_path, "serve") == os.getpid()
    assert lease_holder(tmp_path, "serve") is None


def test_another_process_is_named_and_the_kernel_frees_what_it_held(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert lease_holder(tmp_path, "serve") == other.pid
        with pytest.raises(Busy) as refused, hold_lease(tmp_path, "serve"):
            pass
        assert refused.value.problem == f"another serve is running here (process {other.pid})"
        other.kill()
        other.wait(PATIENCE)
    until(lambda: lease_holder(tmp_path, "serve") is None)
    with hold_lease(tmp_path, "serve"):
        assert lease_holder(tmp_path, "serve") == os.getpid()


def test_a_look_never_stands_in_the_way(tmp_path: Path) -> None:
    """A look that took the lock for a moment would refuse whoever takes the lease at that moment."""
    with hold_lease(tmp_path, "serve"):
        pass
    with (tmp_path / "serve.lease").open("r") as looked_at:
        assert not lease._held(looked_at)
        with hold_lease(tmp_path, "serve"):
            assert lease._held(looked_at)


def test_a_holder_that_has_no_name_is_nobody_to_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 0 is the caller's own group: `serve --stop` would end its own shell."""
    monkeypatch.setattr(lease, "_NAME_SECONDS", 0.1)
    with hold_lease(tmp_path, "serve"):
        (tmp_path / "serve.lease").write_text("")
        with pytest.raises(Busy, match="does not say who"):
            lease_holder(tmp_path, "serve")
