"""`recover serve` typed by root, where the state folder belongs to another user: root becomes that one, or says why not."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.processes import has_ended
from recovery.cli import serve
from recovery.errors import SettingsInvalid
from recovery.lease import hold_lease
from tests.waiting import PATIENCE, until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another")
OTHER = "nobody"
# In a process of its own: it stays that user for good. What it would become is printed instead.
_SERVE = """
import os, sys
from pathlib import Path
from recovery.cli import serve
from recovery.ownership import become_owner_of
become_owner_of(Path(sys.argv[1]), named=sys.argv[2] or None)
import pwd
print(pwd.getpwuid(os.getuid()).pw_name, os.geteuid() == os.getuid(), 0 in os.getgroups(), os.environ["HOME"])
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder of another user, in a place that he may pass through."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        user = pwd.getpwnam(OTHER)
        Path(folder).chmod(0o755)
        made = Path(folder, "state")
        made.mkdir()
        os.chown(made, user.pw_uid, user.pw_gid)
        yield made


def become(folder: Path, named: str = "") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", _SERVE, folder, named]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)


@as_root
def test_root_becomes_the_owner_of_the_state_folder(state: Path) -> None:
    home = pwd.getpwnam(OTHER).pw_dir
    assert become(state).stdout.split() == [OTHER, "True", "False", home]
    assert become(state, OTHER).stdout.split()[0] == OTHER


@as_root
def test_root_stays_root_where_the_folder_is_roots_or_not_there(tmp_path: Path) -> None:
    assert become(tmp_path).stdout.split()[0] == "root"
    assert become(tmp_path / "missing").stdout.split()[0] == "root"


@as_root
def test_another_user_is_not_served_as(state: Path) -> None:
    assert (
        f"SettingsInvalid: server.run_as is postgres, and {state} belongs to {OTHER}"
        in become(state, "postgres").stderr
    )


@as_root
def test_nobody_is_stopped_whom_somebody_wrote_into_the_lease(tmp_path: Path) -> None:
    """Root sent SIGTERM to whatever process was noted there."""
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            with hold_lease(tmp_path / "prefect", "serve"):
                (tmp_path / "prefect" / "serve.lease").write_text(str(bystander.pid))
                with pytest.raises(SettingsInvalid, match=f"process {bystander.pid} is noted as this site's server"):
                    serve._stop(tmp_path)
            assert bystander.poll() is None
        finally:
            bystander.kill()


@pytest.mark.parametrize("words", [[[], [], ["sleep", "600"]], [[]]], ids=["becomes another", "a kernel thread"])
def test_a_process_without_words_is_a_stranger(words: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for one that has ended, and was sent SIGTERM."""
    monkeypatch.setattr(serve, "_WORDS_SECONDS", 0.3)
    monkeypatch.setattr(serve, "_words", lambda _pid: words.pop(0) if len(words) > 1 else words[0])
    with pytest.raises(SettingsInvalid, match="noted as this site's server, and is none"):
        serve._require_ours(1)


def test_a_process_that_has_ended_is_nobody() -> None:
    with subprocess.Popen(["true"]) as ended:
        until(lambda: has_ended(ended.pid), what="a zombie")
        serve._require_ours(ended.pid)
    serve._require_ours(ended.pid)
