"""The runs that a person starts with the command: shown on their deployment's page, carried by the command itself."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

import httpx

from deployments.flow_runs import COMMAND_TAG, FlowRuns
from deployments.own_postgres import OwnPostgres
from recovery.adapters.postgres.connection import connect

_LOOK_SECONDS = 30.0  # a busy machine; it is done again in a few seconds
_COUNT_SLOTS = """
UPDATE concurrency_limit_v2 AS held SET active_slots = active.runs
FROM (
    SELECT d.concurrency_limit_id AS id, count(r.id) AS runs
    FROM deployment d LEFT JOIN flow_run r
        ON r.deployment_id = d.id AND r.state_type::text IN ('PENDING', 'RUNNING', 'CANCELLING')
    WHERE d.concurrency_limit_id IS NOT NULL GROUP BY 1
) AS active
WHERE held.id = active.id AND held.active_slots <> active.runs
"""


def create_command_run(flow_runs: FlowRuns, flow: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Create the run of this process. It is Pending from the start, so that no worker takes it.

    It never waits behind the runs of its deployment: a person is at the keyboard, and the site's own
    lease decides who waits. A deployment that is not there does not matter.
    Raises: httpx.HTTPError.
    """
    deployment = _deployment(flow_runs, flow)
    run: dict[str, Any] = flow_runs.ask(
        "POST",
        "/flow_runs/",
        {
            "flow_id": flow_runs.ask("POST", "/flows/", {"name": flow})["id"],
            "deployment_id": deployment,
            "name": name,
            "parameters": parameters,
            "tags": [COMMAND_TAG],
            "state": {"type": "PENDING"},
        },
    )
    place = f"{socket.gethostname()}:{os.getpid()}"
    flow_runs.ask("PATCH", f"/flow_runs/{run['id']}", {"infrastructure_pid": place})
    if deployment:
        with suppress(httpx.HTTPStatusError):  # all are taken: `count_slots` will see that there is one more
            limit = {"names": [f"deployment:{deployment}"], "slots": 1, "mode": "concurrency"}
            flow_runs.ask("POST", "/v2/concurrency_limits/increment", limit)
    return run


def count_slots(postgres: OwnPostgres) -> int:
    """Have every deployment hold as many slots as it has runs; returns how many were wrong.

    The server takes a slot when a run is handed to a worker and gives one back whenever a run ends.
    The run of a command takes none by itself, and a killed one gives none back: left alone, the next
    run would come too early, or never.
    """
    with connect(postgres.address, statement_seconds=_LOOK_SECONDS) as connection:
        return connection.execute(_COUNT_SLOTS).rowcount


def _deployment(flow_runs: FlowRuns, flow: str) -> str | None:
    try:
        return str(flow_runs.ask("GET", f"/deployments/name/{flow}/{flow}")["id"])
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return None
        raise
