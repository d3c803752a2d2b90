"""`recover serve`: the Prefect server of this site, started, found and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from deployments.processes import has_ended
from recovery.environment import our_environment
from recovery.errors import SettingsInvalid
from recovery.lease import lease_holder
from recovery.ownership import become_owner_of, make_folder, make_state_folder, open_ours, owner_of
from recovery.server_address import LEASE, answers, noted_address, running_server, server_folder
from recovery.settings.load import settings_environment
from recovery.stopping import finishing
from recovery.waiting import wait_until

# Each part of it has a deadline of its own and is tried twice; these catch what hangs for all that.
_READY_SECONDS = 1200.0
_STOP_SECONDS = 300.0
_SLOW_SECONDS = 15.0
_WORDS_SECONDS = 5.0  # one that becomes another program has no words for a moment; a kernel thread never has any
_OVER = "over"
_MODULE = "deployments.serve"
_NO_ANSWER = 12  # the exit status of TargetUnreachable

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready; it goes on.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the one that runs.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say whether one runs, and where.")] = False,
) -> None:
    """Run the UI, the API, the schedules and a worker on this machine.

    Brings up Prefect with a small PostgreSQL of its own, all deployments and a worker, in seconds.
    It listens on the loopback address; on another only when server.api_password is set. Ctrl-C stops
    everything in order: the worker, the runs, the server, its database.
    """
    if detach + stop + status > 1:
        raise typer.BadParameter("one of them at a time", param_hint="--detach, --stop, --status")
    state_dir = _state_dir()
    _become_its_owner(state_dir)
    if stop:
        _stop(state_dir)
    elif status:
        _status(state_dir)
    elif detach:
        _detach(state_dir)
    else:
        # A stop must not fall between us and what we become: it is heard there when it listens.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        os.execve(sys.executable, _command(), our_environment(settings_environment()))


def _detach(state_dir: Path) -> None:
    """Start it in the background and wait until it is ready; who stops us while we wait stops what we started."""
    folder = server_folder(state_dir)
    process = None
    if _holder(state_dir) is None:
        process = _start(folder)
    try:
        url = _wait_for(state_dir, process)
    except KeyboardInterrupt:
        with finishing():
            _end(process)
        raise
    if not url or url == _OVER:
        status = process.poll() if process else None
        _end(process)
        print((folder / "serve.log").read_text(errors="replace").strip(), file=sys.stderr)
        raise typer.Exit(status or _NO_ANSWER)
    print(url)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """What we started and cannot hand over ends, whether it holds the lease or not."""
    if process and process.poll() is None:
        process.terminate()
        wait_until(lambda: process.poll() is not None, _STOP_SECONDS)


def _wait_for(state_dir: Path, process: subprocess.Popen[bytes] | None) -> str:
    if process:
        # It takes the lease a moment after it began; until then nobody holds it.
        wait_until(lambda: _holder(state_dir) == process.pid or process.poll() is not None, _READY_SECONDS)
    url = _url_or_over(state_dir, _SLOW_SECONDS)
    if not url:
        log = server_folder(state_dir) / "serve.log"
        print(f"starting takes longer than usual; its log: {log}", file=sys.stderr)
        url = _url_or_over(state_dir, _READY_SECONDS)
    if process and url == _OVER:
        wait_until(lambda: process.poll() is not None, _STOP_SECONDS)  # it frees its lease before it says why
    return url


def _url_or_over(state_dir: Path, seconds: float) -> str:
    """Where it is, once all of it is up and it answers; that it has ended; nothing at the deadline."""

    def look() -> str:
        address = running_server(state_dir)  # it notes its address when all of it is up
        if address and answers(address.url, address.mark):
            return address.url
        return "" if _holder(state_dir) else _OVER

    return wait_until(look, seconds, pause=0.1)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    make_state_folder(folder.parent)
    make_folder(folder, mode=0o711)
    with open_ours(folder / "serve.log", "w") as out:
        return subprocess.Popen(
            _command(),
            env=our_environment(settings_environment()),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _status(state_dir: Path) -> None:
    holder, address = _holder(state_dir), noted_address(state_dir)
    if holder is None:
        print("not running; start it with: recover serve --detach")
        raise typer.Exit(1)
    if address is None or address.pid != holder:
        print(f"starting or stopping (process {holder})")
        raise typer.Exit(_NO_ANSWER)
    state = "answers" if answers(address.url, address.mark) else "does not answer"
    print(f"{address.url}  process {holder}, {state}")


def _stop(state_dir: Path) -> None:
    """End it and wait until all it started is gone."""
    holder = _holder(state_dir)
    if holder is None:
        print("not running", file=sys.stderr)
        return
    _require_ours(holder)
    try:
        os.kill(holder, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended by itself just now
    except PermissionError as error:
        raise SettingsInvalid(f"process {holder} is another user's", "run this as the user who started it") from error
    if not wait_until(lambda: _holder(state_dir) != holder, _STOP_SECONDS, pause=0.1):
        print(f"process {holder} still runs after {_STOP_SECONDS:.0f} s", file=sys.stderr)
        raise typer.Exit(_NO_ANSWER)
    print("stopped", file=sys.stderr)


def _require_ours(holder: int) -> None:
    """Whoever may write into the lease could have us stop anybody. Raises: SettingsInvalid."""
    words = wait_until(lambda: _words(holder), _WORDS_SECONDS, so=lambda seen: seen != [])
    if words is not None and _MODULE not in words:
        raise SettingsInvalid(
            f"process {holder} is noted as this site's server, and is none",
            "lslocks names the process that holds serve.lease; stop that one",
        )


def _words(pid: int) -> list[str] | None:
    """How this process was started; None when it has ended. Nothing: it is just becoming another program."""
    try:
        words = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
        return None if has_ended(pid) else words
    except (FileNotFoundError, ProcessLookupError):
        return None
    except PermissionError as error:  # /proc mounted with hidepid
        raise SettingsInvalid(f"process {pid} is another user's", "run this as the user who started it") from error


def _become_its_owner(state_dir: Path) -> None:
    """Root serves as the user to whom the state folder belongs: so that one cannot lead root astray there for hours.

    Raises: SettingsInvalid when another is named, or that user cannot run us.
    """
    from recovery.site import site

    run_as = site().settings.server.run_as
    become_owner_of(state_dir, named=run_as)
    for ours in (sys.executable, __file__):
        if not os.access(ours, os.R_OK):
            raise SettingsInvalid(
                f"{state_dir} belongs to {owner_of(state_dir)}, who may not read {ours}",
                "install recover where that user may read it (UV_TOOL_DIR=/opt/uv), or give root a state_dir of its own",
            )


def _holder(state_dir: Path) -> int | None:
    return lease_holder(server_folder(state_dir), LEASE)


def _state_dir() -> Path:
    from recovery.site import site

    return site().settings.site.state_dir.absolute()


def _command() -> list[str]:
    # -P: a folder named flows in the current directory must not stand in for ours.
    return [sys.executable, "-P", "-m", _MODULE]
