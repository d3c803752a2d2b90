"""Take a sandbox away: every process, every mount, every shared memory segment, every file."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from recovery.adapters.process import HERE, PROMPT_SECONDS
from recovery.errors import VerificationFailed
from recovery.ports import release_ports
from recovery.waiting import wait_until
from sandbox import processes
from sandbox.layout import PATIENCE_SECONDS

_ROUNDS = 5
_ORDERLY_SECONDS = 30.0  # then harder; a server that writes a large checkpoint may take longer


def remove_everything(folder: Path) -> None:
    """End all processes of a folder, then remove it.

    Raises: VerificationFailed when something could not be removed.
    """
    _end_processes(folder)
    for directory, _, files in os.walk(folder):
        if "postmaster.pid" in files:
            processes.free_shared_memory(Path(directory, "postmaster.pid"))
    for mount in _mounts(folder):
        HERE.run(["umount", "--lazy", mount], timeout_seconds=PROMPT_SECONDS, check=False)
    _remove_tree(folder)
    release_ports(folder)
    if left := processes.all_pids(folder):
        raise VerificationFailed(f"processes {sorted(left)} of {folder} are still there", "end them by hand")


def _end_processes(folder: Path) -> None:
    # More than one round: a server may have started another process while we looked.
    for _ in range(_ROUNDS):
        pids = processes.all_pids(folder)
        if not pids:
            return
        # An immediate shutdown gives back shared memory; kill -9 would not.
        processes.end({pid for pid in pids if _is_postmaster(pid)}, signal.SIGQUIT, seconds=_ORDERLY_SECONDS)
        processes.end({pid for pid in pids if processes.is_running(pid)}, signal.SIGKILL, seconds=_ORDERLY_SECONDS)


def _is_postmaster(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd/postmaster.pid").read_text().split("\n", 1)[0] == str(pid)
    except OSError:
        return False


def _mounts(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in reversed(points) if Path(point).is_relative_to(folder) and point != str(folder)]


def _remove_tree(folder: Path) -> None:
    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    if not wait_until(gone, PATIENCE_SECONDS):
        left = [str(path) for path in folder.rglob("*")][:5]
        raise VerificationFailed(f"{folder} could not be removed: {left}", f"remove it by hand: rm -rf {folder}")
