"""A whole Prefect on one machine: its own PostgreSQL, the server, the deployments and a worker.

Run as `python -m deployments.serve` by `recover serve`. Stops on SIGINT and SIGTERM: first the worker,
so that nothing new begins; then the runs, each of which cleans up after itself and reports its end;
then the server; last the database.
"""

from __future__ import annotations

import errno
import logging
import operator
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType

from deployments.children import Child, dies_with_us, start_child, wait_until_ready
from deployments.command_runs import count_slots
from deployments.flow_runs import FlowRuns, end_flow_run_processes
from deployments.own_postgres import OwnPostgres
from deployments.past_runs import import_past_runs
from deployments.place import Place, place_of, server_environment, worker_environment
from recovery.errors import Interrupted, RecoveryError, TargetUnreachable
from recovery.lease import hold_lease
from recovery.ports import bind_error
from recovery.server_address import LEASE, MARK_HEADER, ServerAddress, address_file, note_address
from recovery.site import site
from recovery.waiting import wait_until

# 6 s on a quiet machine; a part that is slow must not be taken for one that hangs.
_READY_SECONDS = 150.0
_TRIES = 2
_RUN_END_SECONDS = 60.0  # a run stops its servers and removes its copy before it ends
_STOP_SECONDS = 60.0  # a part that takes longer to stop hangs: it is killed
_RECONCILE_SECONDS = 5.0
_IMPORT_SECONDS = 60.0
_PORT_SECONDS = 10.0  # a killed predecessor's web server still answers what it was asked
_RESTARTS = 5
_RESTART_WINDOW_SECONDS = 300.0

# -P: a folder named flows in the current directory must not stand in for ours.
_PYTHON = (sys.executable, "-P", "-X", "faulthandler")
_SERVER = (
    *("prefect.server.api.server:create_app", "--factory"),
    *("--log-level", "warning", "--timeout-graceful-shutdown", "5"),
)

log = logging.getLogger("recovery.serve")


class Serving:
    """The programs of one site's server, in the order in which they start."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.postgres = OwnPostgres(place)
        self.mark = secrets.token_hex(8)
        self.flow_runs = FlowRuns(place, self.mark)
        self.children: dict[str, Child] = {}
        self.asked_to_stop = False
        self._ready_file = place.folder / "deployed"
        self._restarts: list[float] = []

    def start(self) -> None:
        """Start everything and return when runs can be submitted.

        Raises: TargetUnreachable when a part does not come up in time.
        """
        self._refuse_a_taken_port()
        self.children["postgres"] = self._start_postgres()
        self.children["server"] = self._start_server()
        self.children["worker"] = self._start_worker()
        self._wait("server", self.flow_runs.answers)
        self._wait("worker", self._ready_file.exists)
        now = datetime.now(UTC).isoformat()
        note_address(self.place.state_dir, ServerAddress(self.place.url, os.getpid(), now, self.mark))

    def watch(self) -> None:
        """Until somebody asks us to stop: start again what died, and keep the list of runs true."""
        reconcile_at = import_at = 0.0
        while not self.asked_to_stop:
            with suppress(Interrupted):  # asked to stop meanwhile
                self._restart_the_dead()
            if self.asked_to_stop:
                break
            now = time.monotonic()
            if now >= reconcile_at:
                if self.flow_runs.answers():  # else it is busy, or another site's
                    self._keep_runs_true()
                    if now >= import_at:
                        import_past_runs(self.flow_runs, self.postgres, site().runs_dir)
                        import_at = time.monotonic() + _IMPORT_SECONDS
                reconcile_at = time.monotonic() + _RECONCILE_SECONDS
            time.sleep(0.2)

    def _keep_runs_true(self) -> None:
        self.flow_runs.crash_the_dead()
        try:
            count_slots(self.postgres)
        except RecoveryError as error:  # tried again in a few seconds
            log.warning("slots not counted just now: %s", error.problem)

    def stop(self) -> None:
        """Stop everything, the last started first. Runs are ended before the server, so that they can report."""
        address_file(self.place.state_dir).unlink(missing_ok=True)
        if worker := self.children.get("worker"):
            worker.stop(0)
        ended = end_flow_run_processes(self.place, _RUN_END_SECONDS)
        if ended:
            log.info("ended %d run(s)", ended)
        if (server := self.children.get("server")) and server.alive:
            self.flow_runs.crash_the_dead(at_once=True)
            server.stop(_STOP_SECONDS)
        if postgres := self.children.get("postgres"):
            postgres.stop(_STOP_SECONDS)
            self.postgres.give_back_port()

    def _refuse_a_taken_port(self) -> None:
        """Raises: TargetUnreachable when somebody else serves where our server has to."""

        def taken() -> bool:
            return not self.asked_to_stop and _is_taken(self.place.host, self.place.port)

        if wait_until(taken, _PORT_SECONDS, so=operator.not_, pause=0.2):
            raise TargetUnreachable(
                f"something else serves at {self.place.url}: another site, or another program",
                "choose another port in [server] of recovery.toml, or stop that one",
            )

    def _start_postgres(self) -> Child:
        def over() -> bool:
            if "worker" in self.children:  # this takes minutes at times, and the server may end meanwhile
                self._end_worker_without_server()
            return self.asked_to_stop

        return self.postgres.start(given_up=over)

    def _start_server(self) -> Child:
        where = ("--host", self.place.host, "--port", str(self.place.port), "--header", f"{MARK_HEADER}:{self.mark}")
        return start_child(
            "Prefect server",
            [*dies_with_us("TERM"), *_PYTHON, "-m", "uvicorn", *_SERVER, *where],
            environment=server_environment(self.place, self.postgres.url),
            folder=self.place.home,
            log=self.place.log_dir / "server.log",
        )

    def _start_worker(self) -> Child:
        self._ready_file.unlink(missing_ok=True)
        return start_child(
            "worker",
            # KILL: a run outlives its worker when nobody tells it otherwise, and a recovery should.
            [*dies_with_us("KILL"), *_PYTHON, "-m", "deployments.worker", self.mark, self._ready_file],
            environment=worker_environment(self.place),
            folder=self.place.home,
            log=self.place.log_dir / "worker.log",
            stop_signal=signal.SIGKILL,
        )

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait for a part. One that ends or hangs as it starts is started again; its log says where it hung."""
        for left in reversed(range(_TRIES)):
            child = self.children[name]
            came = wait_until_ready(child, ready, _READY_SECONDS, given_up=lambda: self.asked_to_stop)
            if self.asked_to_stop:
                raise Interrupted("asked to stop while starting", "run recover serve again")
            if came:
                return
            child.abort(5)
            if name == "server":
                self._refuse_a_taken_port()
            if not left:
                raise TargetUnreachable(f"the {child.name} does not start: {child.last_words()}", f"read {child.log}")
            log.warning("the %s does not start: %s\nstarting it again", child.name, child.last_words())
            self.children[name] = self._starts()[name]()

    def _starts(self) -> dict[str, Callable[[], Child]]:
        return {"postgres": self._start_postgres, "server": self._start_server, "worker": self._start_worker}

    def _restart_the_dead(self) -> None:
        """Start again what ended by itself. Raises: TargetUnreachable when that happens again and again."""
        self._end_worker_without_server()
        for name, child in self.children.items():
            if child.alive or self.asked_to_stop:
                continue
            self._restarts = [at for at in self._restarts if at > time.monotonic() - _RESTART_WINDOW_SECONDS]
            if len(self._restarts) >= _RESTARTS:
                raise TargetUnreachable(
                    f"the {child.name} ends again and again: {child.last_words()}", f"read {child.log}"
                )
            self._restarts.append(time.monotonic())
            log.warning("the %s ended (status %s); starting it again", child.name, child.process.returncode)
            if name == "server":
                self._end_worker_without_server()
                self._refuse_a_taken_port()
            self.children[name] = self._starts()[name]()
            if name == "server":
                self.children["worker"] = self._start_worker()

    def _end_worker_without_server(self) -> None:
        """It would take the runs of whoever serves at our address meanwhile."""
        if not self.children["server"].alive:
            self.children["worker"].stop(0)


def _is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there now. What else is wrong with an address, the server says when it starts."""
    try:
        places = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        return False
    errors = (bind_error(family, address) for family, _, _, _, address in places)
    return any(error and error.errno == errno.EADDRINUSE for error in errors)


def main() -> int:
    """Serve until SIGINT or SIGTERM. The exit status is the error's own."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        password = site().settings.server.api_password
        place = place_of(site().settings, site().secrets.reveal(password) if password else None)
        place.make_folders()
        with hold_lease(place.folder, LEASE):
            _serve(Serving(place))
    except RecoveryError as error:
        log.error("%s", error)
        return error.exit_code
    return 0


def _serve(serving: Serving) -> None:
    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        serving.asked_to_stop = True

    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    # Held back by `recover serve`: one that came while we were imported is heard now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    begin = time.monotonic()
    try:
        serving.start()
        log.info("Ready after %.1f s: %s", time.monotonic() - begin, serving.place.url)
        log.info("Stop with Ctrl-C, or from anywhere with: recover serve --stop")
        serving.watch()
        log.info("Stopping …")
    finally:
        serving.stop()


if __name__ == "__main__":
    sys.exit(main())
