"""A command's run in this site's Prefect server, when that answers."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recovery.errors import RecoveryError
from recovery.redaction import redact
from recovery.stopping import Stopped

if TYPE_CHECKING:
    from deployments.flow_runs import FlowRuns
    from recovery.server_address import ServerAddress
    from recovery.site import Site

_FAREWELL_SECONDS = 15.0  # the last lines of the log, on a busy machine
_COMMAND = {
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    "PREFECT_API_REQUEST_TIMEOUT": "10",
    # Everything goes to the run's log there; the terminal has its own lines.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
}


_used: list[Server] = []  # by this process: at its end it has something to tell it


@dataclass(frozen=True)
class Server:
    """A server that answers. Prefect is imported: the flows of this process are its flows."""

    flow_runs: FlowRuns

    def run(self, flow: Any, **parameters: Any) -> Any:
        """Run a flow here, seen there. A server that fails at any moment changes nothing of what is done."""
        from prefect.exceptions import TerminationSignal

        from deployments.command_runs import create_command_run
        from tasks.step import name_of_run

        try:
            name, shown = name_of_run(flow, parameters), flow.serialize_parameters(parameters)
            made = create_command_run(self.flow_runs, flow.name, name, shown)
        except Exception as error:  # refused, cut off, an answer that is none: it is not what we are here for
            go_on_without(f"the Prefect server did not take the run ({_brief(error)})")
            return flow.fn(**parameters)
        print(f"{self.flow_runs.place.url}/v2/runs/flow-run/{made['id']}", file=sys.stderr, flush=True)
        try:
            return _carry(flow, made, parameters)
        except (KeyboardInterrupt, TerminationSignal) as end:
            stop = end if isinstance(end, KeyboardInterrupt) else Stopped(signal.SIGTERM)
            self._cancel(made["id"], stop)
            raise stop from None

    def _cancel(self, run_id: str, stop: KeyboardInterrupt) -> None:
        """Have the run shown as what it is: to Prefect's mind it crashed, but somebody stopped it."""
        import httpx

        from tasks.server_loss import server_is_lost

        if server_is_lost():
            return
        state = {"type": "CANCELLED", "message": str(stop) or "stopped"}
        with suppress(httpx.HTTPError):
            self.flow_runs.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})


def _carry(flow: Any, made: dict[str, Any], parameters: dict[str, Any]) -> Any:
    """Run it as that flow run. What the runbook itself came to counts, whatever Prefect says of it."""
    from prefect.client.schemas.objects import FlowRun
    from prefect.flow_engine import run_flow

    from recovery.server_address import PATIENCE_SECONDS
    from tasks.server_loss import patience, run_in_spite_of_the_server

    with patience(PATIENCE_SECONDS, go_on_without):
        return run_in_spite_of_the_server(
            flow,
            lambda watched: run_flow(watched, flow_run=FlowRun.model_validate(made), parameters=parameters),
            lambda: flow.fn(**parameters),
        )


def use_server(site: Site) -> Server | None:
    """The site's server, with Prefect imported before the flows are; None when none answers."""
    from recovery.ownership import leads_root_astray
    from recovery.server_address import answering_server, server_folder

    address = answering_server(site.settings.site.state_dir, on_silence=go_on_without)
    if address is None:
        return None
    if leads_root_astray(server_folder(site.settings.site.state_dir)):
        go_on_without(
            "the Prefect server is another user's, and Prefect would have root do what is written in its folder"
        )
        return None
    try:
        return _enter(site, address)
    except RecoveryError as error:
        go_on_without(f"the Prefect server cannot be used: {error.problem}")
    except Exception as error:  # a broken installation
        go_on_without(f"Prefect cannot be used ({_brief(error)})")
    _forget_prefect()
    return None


def _enter(site: Site, address: ServerAddress) -> Server:
    """Have Prefect in this process, its client speaking to this server, so that what is imported next are flows."""
    from deployments.flow_runs import FlowRuns
    from deployments.place import place_of
    from recovery.server_address import client_environment

    password = site.secrets.reveal(site.settings.server.api_password)
    place = place_of(site.settings, password)
    environment = client_environment(os.environ, place.state_dir, address.url, password) | _COMMAND
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    # Prefect writes to the terminal whenever the server does not take its log lines.
    logging.raiseExceptions = False
    # Prefect takes settings from the current folder too, and reads them only when it is used: so in a folder of ours.
    with _in_folder(place.folder):
        importlib.import_module("tasks.runbook_flow")
    _used.append(Server(FlowRuns(place, address.mark)))
    return _used[-1]


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Be in this folder for a moment."""
    try:
        before = Path.cwd()
    except OSError:  # it was removed
        before = Path("/")
    os.chdir(folder)
    try:
        yield
    finally:
        try:
            os.chdir(before)
        except OSError:  # closed to this user (sudo -u): nothing there could have been meant
            os.chdir("/")


def _forget_prefect() -> None:
    """What is imported from now on are plain functions: half a Prefect must not make flows of them."""
    for name in [name for name in sys.modules if f"{name}.".startswith(("prefect.", "tasks."))]:
        del sys.modules[name]


def _brief(error: Exception) -> str:
    """An error in a line's half."""
    return f"{type(error).__name__}: {redact(' '.join(str(error).split()))[:200]}"


def leave_in_time(status: int) -> None:
    """Have this process end, even when Prefect has something left to tell a server that does not listen.

    To be called when everything is done and said. Waits: not at all; the deadline runs beside what is left.
    """
    if not _used:
        return
    from tasks.server_loss import server_is_lost

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more, or it is closed
            stream.flush()
    last = threading.Timer(1.0 if server_is_lost() else _FAREWELL_SECONDS, os._exit, [status])
    last.daemon = True
    last.start()


def go_on_without(trouble: str) -> None:
    """Say that the run is made without the server."""
    print(f"recover: {trouble}; this run goes on without it", file=sys.stderr, flush=True)
