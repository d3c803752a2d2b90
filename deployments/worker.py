"""The worker of `recover serve`: puts the deployments into the server, then starts every run that is due.

Run as `python -m deployments.worker MARK READY`. It has no signal handler on purpose: Prefect's own kills the
runs without a word and leaves them Running for ever. `deployments.serve` ends runs itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.workers.process import ProcessWorker

from deployments.catalogue import deployments_file, put_all
from deployments.place import WORK_POOL
from recovery.server_address import answers
from recovery.waiting import wait_until

_SERVER_SECONDS = 300.0  # 6 s on a quiet machine; the worker waits as long as recover serve does
_HEARTBEAT_SECONDS = 30
# Each run is a process of 110 MB. There are fewer deployments than this, each with one run at a time:
# no run of ours ever waits for this limit, but a flood of others cannot take the whole machine.
_RUNS_AT_ONCE = 8

log = logging.getLogger("recovery.worker")


def main() -> int:
    """Wait for the server with this mark, put the deployments, say so in the file READY, and work."""
    mark, ready = sys.argv[1:]
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    url = os.environ["PREFECT_API_URL"].removesuffix("/api")
    if not wait_until(lambda: answers(url, mark), _SERVER_SECONDS, pause=0.1):
        log.error("this site's Prefect server does not answer at %s", url)
        return 1
    with get_client(sync_client=True) as client:
        for problem in put_all(client, deployments_file()):
            log.error("not deployed: %s", problem)
    Path(ready).touch()
    asyncio.run(_work())
    return 0


async def _work() -> None:
    worker = ProcessWorker(
        name=f"recover-serve@{socket.gethostname()}",
        work_pool_name=WORK_POOL,
        limit=_RUNS_AT_ONCE,
        heartbeat_interval_seconds=_HEARTBEAT_SECONDS,
    )
    await worker.start(printer=log.info)


if __name__ == "__main__":
    sys.exit(main())
