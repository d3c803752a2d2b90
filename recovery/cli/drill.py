"""recover drill …: break the sandbox on purpose, recover it as in earnest, and measure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from recovery.approval import WAYS
from recovery.cli.application_failure import show_report
from recovery.cli.demo import point_at
from recovery.cli.options import text
from recovery.cli.output import Json, show_run
from recovery.cli.user import who_types
from recovery.errors import GateRefused, RecoveryError, VerificationFailed
from recovery.facts import Answer, Plan, Request
from recovery.incident import new_incident_id
from recovery.waiting import wait_until

_SEEN_SECONDS = 120.0

app = typer.Typer(
    help="Break a sandbox on purpose, recover it, and measure.", no_args_is_help=True, add_completion=False
)

# What a drill of the application breaks, and what cures it; what it cannot cure is none.
APPLICATION_FAULTS = (
    "kill-pod",
    "kill-all-pods",
    "hang-pods",
    "crash-loop",
    "bad-image",
    "out-of-memory",
    "slow-application",
)


@app.callback()
def _group() -> None:
    """A group also while it has one command."""


@app.command("application-failure")
def application_failure(
    fault: Annotated[str, text(help=f"one of {', '.join(APPLICATION_FAULTS)}")] = "hang-pods",
    directory: Annotated[Path | None, typer.Option("--dir", help="the sandbox's folder; unset: its usual one")] = None,
    as_json: Json = False,
) -> None:
    """Break the application, recover it, print what it took against what was promised.

    Whoever starts a drill has approved what it does: it is a throwaway site. The fault is undone at the end, whatever
    came of it. Ends with 0 only when the application is healthy again.
    """
    if fault not in APPLICATION_FAULTS:
        raise typer.BadParameter(f"one of {', '.join(APPLICATION_FAULTS)}", param_hint="--fault")
    with _broken(directory, fault) as occurred, _approved_by_who_started_it():
        _wait_until_seen()
        found = show_run(
            "flows.application_failure",
            "application_failure",
            as_json,
            incident=new_incident_id(),  # not that of a drill that was cut short
            occurred=f"{occurred:%Y-%m-%dT%H:%M:%S.%fZ}",
            started_by=who_types(),
            drill=True,
        )
    show_report(found, as_json)


@contextmanager
def _broken(directory: Path | None, fault: str) -> Iterator[datetime]:
    """Have the sandbox broken meanwhile; the moment at which it was."""
    from sandbox import faults, site

    sandbox = point_at(directory)
    site.wait_until_healthy(sandbox)
    if fault in site.active_faults(sandbox):
        raise GateRefused(f"{fault} was made already", f"undo it first: recover sandbox break {fault} --undo")
    occurred = datetime.now(UTC)
    try:
        print(faults.break_it(sandbox, fault).said, file=sys.stderr, flush=True)
        yield occurred
    finally:
        try:
            faults.undo(sandbox, fault)
        except GateRefused:  # it cannot be undone, or was not made
            pass
        except RecoveryError as error:  # it must not hide what the recovery came to
            print(f"recover: {fault} could not be undone: {error.problem}", file=sys.stderr)


def _wait_until_seen() -> None:
    """Watch the application until what was broken shows, as monitoring would: the run begins when it was noticed."""
    from checks.application_cause import Cause, diagnose
    from tasks.workloads import read_application_facts

    def cause() -> Cause:
        return diagnose(read_application_facts("backend")).cause

    if wait_until(cause, _SEEN_SECONDS, so=lambda seen: seen is not Cause.NOTHING) is Cause.NOTHING:
        raise VerificationFailed(
            f"the fault did not show within {_SEEN_SECONDS:.0f} s", "the cluster may have healed by itself"
        )


@contextmanager
def _approved_by_who_started_it() -> Iterator[None]:
    way = _Starter()
    WAYS.append(way)
    try:
        yield
    finally:
        WAYS.remove(way)


class _Starter:
    """The answer of whoever started the drill, given at once."""

    def __init__(self) -> None:
        self._request: Request | None = None

    def open(self, plan: Plan, request: Request) -> None:
        self._request = request

    def heard(self) -> Answer | None:
        request, self._request = self._request, None
        if request is None:
            return None
        now = datetime.now(UTC)
        return Answer(request.plan, True, who_types(), "a drill on a sandbox", who_types(), "drill", now, now)

    def ask_again(self, problem: str) -> None:
        """It has said all it has to say."""

    def close(self, answer: Answer | None) -> None:
        self._request = None
