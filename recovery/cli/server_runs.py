"""A command's run in this site's Prefect server, when that answers."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.redaction import redact

if TYPE_CHECKING:
    from deployments.flow_runs import FlowRuns
    from recovery.site import Site

# How long the server may keep a person waiting, who wants to know what was recovered: as long as it takes
# to start again, and no longer.
_PATIENCE_SECONDS = 20.0
_FAREWELL_SECONDS = 15.0  # the last lines of the log, on a busy machine
_COMMAND = {
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    "PREFECT_API_REQUEST_TIMEOUT": "10",
    # Everything goes to the run's log there; the terminal has its own lines.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
}


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

    from tasks.server_loss import run_in_spite_of_the_server

    return run_in_spite_of_the_server(
        flow,
        lambda watched: run_flow(watched, flow_run=FlowRun.model_validate(made), parameters=parameters),
        lambda: flow.fn(**parameters),
        go_on_without,
        _PATIENCE_SECONDS,
    )


def use_server(site: Site) -> Server | None:
    """The site's server, with Prefect imported before the flows are; None when none answers."""
    from recovery.server_address import answering_server, client_environment, server_folder

    state_dir = site.settings.site.state_dir
    url = answering_server(state_dir, on_silence=go_on_without)
    if url is None:
        return None
    from deployments.flow_runs import FlowRuns
    from deployments.place import place_of

    password = site.secrets.reveal(site.settings.server.api_password)
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]  # of the user's own Prefect
    os.environ.update(client_environment(state_dir, url, password) | _COMMAND)
    # Prefect writes to the terminal whenever the server does not take its log lines.
    logging.raiseExceptions = False
    try:
        # Prefect reads settings from the current folder too, and only when it is used: so from a folder of its own.
        with contextlib.chdir(server_folder(state_dir)):
            importlib.import_module("tasks.runbook_flow")
    except Exception as error:  # a prefect.toml or .env of somebody's in this folder, a broken installation
        go_on_without(f"Prefect cannot be used ({type(error).__name__}: {redact(' '.join(str(error).split()))[:200]})")
        return None
    return Server(FlowRuns(place_of(site.settings, password)))


def leave_in_time(status: int) -> None:
    """Have this process end, even when Prefect has something left to tell a server that does not listen.

    To be called when everything is done and said. Waits: not at all; the deadline runs beside what is left.
    """
    if "prefect" not in sys.modules:
        return
    from tasks.server_loss import server_is_lost

    with suppress(OSError):  # nobody reads it any more
        sys.stdout.flush()
        sys.stderr.flush()
    last = threading.Timer(1.0 if server_is_lost() else _FAREWELL_SECONDS, os._exit, [status])
    last.daemon = True
    last.start()


def go_on_without(trouble: str) -> None:
    """Say that the run is made without the server."""
    print(f"recover: {trouble}; this run goes on without it", file=sys.stderr, flush=True)
