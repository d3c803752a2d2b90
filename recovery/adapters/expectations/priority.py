"""A process that gets ready beside a restore takes only what the restore leaves; when it is needed it takes its share."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

_NICE = 5  # where a process that stood back all the way could not come forward again


def stand_back(pid: int) -> None:
    """Let a process run only while nobody else wants to, if that can be taken back; else let it give way."""
    with suppress(ProcessLookupError):  # it ended: whoever asks it will hear
        if _can_come_forward():
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)


def step_forward(pid: int) -> None:
    """Let a process run like any other, where it stood back all the way. Idempotent."""
    with suppress(ProcessLookupError, FileNotFoundError):
        if os.sched_getscheduler(pid) == os.SCHED_IDLE:
            for thread in os.listdir(f"/proc/{pid}/task"):  # each has a policy of its own
                os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))


def _can_come_forward() -> bool:
    """Whether this user may take a process back from idle: the kernel knows, and a thread of ours may try it."""
    allowed: list[bool] = []

    def try_it() -> None:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            allowed.append(True)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return bool(allowed)
