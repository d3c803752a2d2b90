"""A command's run in this site's Prefect server, when that answers."""

from __future__ import annotations

import copy
import functools
import importlib
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.flow_runs import FlowRuns
    from recovery.site import Site

# A quarter of a minute: what was recovered is not told before the server was told, and a person waits for it.
_RETRIES = "3"


@dataclass(frozen=True)
class Server:
    """A server that answers. Prefect is imported: the flows of this process are its flows."""

    flow_runs: FlowRuns

    def run(self, flow: Any, **parameters: Any) -> Any:
        """Run a flow here, seen there. A server that fails at any moment changes nothing of what is done."""
        import httpx

        from deployments.command_runs import create_command_run
        from tasks.step import name_of_run

        name, shown = name_of_run(flow, parameters), flow.serialize_parameters(parameters)
        try:
            made = create_command_run(self.flow_runs, flow.name, name, shown)
        except httpx.HTTPError as error:
            said = str(error).partition("\n")[0]
            go_on_without(f"the Prefect server did not take the run ({type(error).__name__}: {said})")
            return flow.fn(**parameters)
        print(f"{self.flow_runs.place.url}/v2/runs/flow-run/{made['id']}", file=sys.stderr, flush=True)
        return _carry(flow, made, parameters)


def _carry(flow: Any, made: dict[str, Any], parameters: dict[str, Any]) -> Any:
    """Run it as that flow run. What the runbook itself came to counts, whatever Prefect says of it."""
    from prefect.client.schemas.objects import FlowRun
    from prefect.flow_engine import run_flow

    came_to: list[Any] = []
    failed_by: list[BaseException] = []

    @functools.wraps(flow.fn)
    def noted(*args: Any, **kwargs: Any) -> Any:
        try:
            came_to.append(flow.fn(*args, **kwargs))
        except BaseException as error:
            failed_by.append(error)
            raise
        return came_to[0]

    watched = copy.copy(flow)
    watched.fn = noted
    try:
        return run_flow(watched, flow_run=FlowRun.model_validate(made), parameters=parameters)
    except Exception as error:
        if failed_by:
            raise failed_by[0] from None
        go_on_without(f"the Prefect server is lost: {type(error).__name__}")
        return came_to[0] if came_to else flow.fn(**parameters)


def use_server(site: Site) -> Server | None:
    """The site's server, with Prefect imported before the flows are; None when none answers."""
    from recovery.server_address import answering_server, client_environment

    state_dir = site.settings.site.state_dir
    url = answering_server(state_dir, on_silence=go_on_without)
    if url is None:
        return None
    from deployments.flow_runs import FlowRuns
    from deployments.place import place_of

    password = site.secrets.reveal(site.settings.server.api_password)
    os.environ.update(client_environment(state_dir, url, password) | {"PREFECT_CLIENT_MAX_RETRIES": _RETRIES})
    # Everything goes to the run's log there; the terminal has its own lines.
    for level in ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "PREFECT_LOGGING_INTERNAL_LEVEL"):
        os.environ.setdefault(level, "CRITICAL")
    # Prefect writes to the terminal whenever the server does not take its log lines.
    logging.raiseExceptions = False
    importlib.import_module("prefect")
    return Server(FlowRuns(place_of(site.settings, password)))


def go_on_without(trouble: str) -> None:
    """Say that the run is made without the server."""
    print(f"recover: {trouble}; this run goes on without it", file=sys.stderr, flush=True)
