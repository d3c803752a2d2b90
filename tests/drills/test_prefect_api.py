"""The server of `recover serve`, commanded by its API."""

from __future__ import annotations

import os
import signal
import time

from tests.fix_prefect import Served


def test_backup_deployment_takes_a_backup(served: Served) -> None:
    run = served.wait(served.submit("backup/backup", kind="full", repo="1"), seconds=90)
    assert run["state_type"] == "COMPLETED", served.logs(run["id"])


def test_first_line_comes_soon(served: Served) -> None:
    begin = time.monotonic()
    run_id = served.submit("nap/nap")
    served.wait(run_id, "RUNNING", "COMPLETED")
    assert time.monotonic() - begin < 15
