"""`recover serve` starts whenever it is asked to, however busy the machine is."""

from __future__ import annotations

import os

import pytest

from tests.fix_prefect import Served
from tests.soak import busy_loops

N = int(os.environ.get("N", "1"))


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_every_start_is_a_good_one_beside_busy_loops(served: Served) -> None:
    """About 1 in 15 ended with 12 and no last words, although the server was up."""
    with busy_loops():
        for number in range(1, N + 1):
            stopped = served.recover("serve", "--stop")
            assert stopped.returncode == 0, stopped.stderr
            assert served.programs() == {}
            started = served.recover("serve", "--detach")
            assert (started.returncode, started.stdout.strip()) == (0, served.url), started.stderr
            print(f"start {number} of {N}: good")
