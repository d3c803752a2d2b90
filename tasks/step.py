"""The decorators of runbooks and steps: retry, cache, journal and deadline policy live only here.

Inside a Prefect flow run a step is a Prefect task and a runbook a Prefect flow. Outside of one they
are the same functions, with the same journal and the same retries, and Prefect is not even imported:
that is how `recover` works when the Prefect server is the thing that is down.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import logging
import os
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar, cast

from checks.parameters import parameter_values_refusal
from checks.run_names import LONGEST
from recovery import stopping
from recovery.errors import RecoveryError
from recovery.facts import Progress
from recovery.gate import require
from recovery.journal import current_journal, open_journal, writing_to
from recovery.lease import require_still_held
from recovery.redaction import redact
from recovery.site import site

P = ParamSpec("P")
R = TypeVar("R")

_DELAYS_SECONDS = (1.0, 3.0, 9.0)
_BACKSTOP_SECONDS = 6 * 3600  # real deadlines live in the adapters

_STOP_SECONDS = 10.0

log = logging.getLogger("recovery")


def probe(function: Callable[P, R]) -> Callable[P, R]:
    """A step that reads the world. Retried while the error is transient."""
    return _step("probe", function, retries=True)


def action(function: Callable[P, R]) -> Callable[P, R]:
    """A step that changes one thing. Never retried blindly."""
    return _step("action", function, retries=False)


def verify(function: Callable[P, R]) -> Callable[P, R]:
    """A probe after an action, against a check. It waits by itself, up to a deadline."""
    return _step("verify", function, retries=True)


def runbook(title: str, run_name: Callable[..., str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A flow: one runbook, with a journal of its own that is kept when it ends.

    `run_name` says from its parameters what a run does.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        journaled = _journaled(function, run_name)
        journaled.run_name = run_name  # type: ignore[attr-defined]
        if "prefect" not in sys.modules:
            return journaled
        from tasks.runbook_flow import RunbookFlow

        name = function.__name__.replace("_", "-")
        description = f"**{title}.** {inspect.getdoc(function) or ''}"
        made = RunbookFlow(
            journaled,
            name=name,
            flow_run_name=lambda: _flow_run_name(run_name),
            description=description,
            retries=0,  # somebody's prefect.toml must not have it done twice
            persist_result=False,
        )
        return cast("Callable[P, R]", made)

    return decorate


def name_of_run(flow: Any, parameters: dict[str, Any]) -> str:
    """What a run of this runbook with these parameters is called."""
    return _fit(flow.fn.run_name(**parameters))


def run_together(*calls: Callable[[], Any]) -> list[Any]:
    """Run steps side by side; the first error is raised when all have ended."""
    pool = ThreadPoolExecutor(max_workers=len(calls))
    futures: list[Future[Any]] = []
    try:
        for call in calls:
            futures.append(pool.submit(contextvars.copy_context().run, call))
        wait(futures)
    except BaseException:  # stopped: what they run ends at once, and is in the journal before the run's own end
        wait(futures, _STOP_SECONDS)
        raise
    finally:
        pool.shutdown(wait=False)
    return [future.result() for future in futures]


def note(message: str, **details: object) -> None:
    """Say something to whoever watches: the journal, the terminal, the Prefect log."""
    if journal := current_journal():
        journal.write("note", message=message, **details)
    _logger().info(message)


def call_out(message: str) -> None:
    """Say what somebody has to do now, also to who wanted to hear nothing but the result."""
    if journal := current_journal():
        journal.write("note", message=message, loud=True)
    _logger().warning(message)


def tell_log(message: str) -> None:
    """Say something to whoever reads the run's log; on the terminal it would be one line too many."""
    _logger().info(message)


def warn(message: str) -> None:
    """Say that something less than the recovery itself went wrong."""
    if journal := current_journal():
        journal.write("warning", message=message)
    _logger().warning(message)


class ProgressReporter:
    """Passes progress on, at most once a second to the journal and rarely to the log."""

    def __init__(self, *others: Callable[[Progress], None]) -> None:
        self._others = others
        self._journal_due = 0.0
        self._log_due = time.monotonic() + 5

    def __call__(self, progress: Progress) -> None:
        for other in self._others:
            other(progress)
        now = time.monotonic()
        if now >= self._journal_due:
            self._journal_due = now + 1
            if journal := current_journal():
                journal.write("progress", **progress_fields(progress))
        if now >= self._log_due:
            self._log_due = now + 10
            _logger().info(progress_line(progress))


def progress_fields(progress: Progress) -> dict[str, Any]:
    """Progress as a journal entry."""
    return {
        "phase": progress.phase,
        "percent": None if progress.percent is None else round(progress.percent, 1),
        "mb_per_second": round(progress.bytes_per_second / 1e6, 1),
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left),
        "detail": progress.detail,
    }


def progress_line(progress: Progress) -> str:
    """Progress as a line of the log."""
    shown = progress_fields(progress)
    parts = [shown["phase"]]
    if shown["percent"] is not None:
        parts.append(f"{shown['percent']} %")
    if shown["mb_per_second"]:
        parts.append(f"{shown['mb_per_second']} MB/s")
    if shown["seconds_left"] is not None:
        parts.append(f"{shown['seconds_left']} s left")
    return " · ".join([*parts, shown["detail"]] if shown["detail"] else parts)


def in_flow_run() -> bool:
    """Whether we are inside a Prefect flow run."""
    if "prefect" not in sys.modules:
        return False
    from prefect.context import FlowRunContext

    return FlowRunContext.get() is not None


def flow_run_id() -> str | None:
    """The id of the Prefect flow run that we are in: `recover serve` shows runs without one afterwards."""
    if not in_flow_run():
        return None
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else None


def transient(error: BaseException) -> bool:
    """Whether asking again may help."""
    return isinstance(error, RecoveryError) and error.transient


def _step(kind: str, function: Callable[P, R], *, retries: bool) -> Callable[P, R]:
    @functools.wraps(function)
    def journaled(*args: P.args, **kwargs: P.kwargs) -> R:
        if kind == "action":
            require_still_held()
        journal = current_journal()
        if journal is None:
            return function(*args, **kwargs)
        with journal.step(kind, function.__name__):
            return function(*args, **kwargs)

    @functools.wraps(function)
    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_flow_run():
            return cast("R", _as_task(kind, journaled, retries)(*args, **kwargs))
        return _with_retries(journaled, retries, args, kwargs)

    return step


@functools.cache
def _as_task(kind: str, journaled: Callable[..., Any], retries: bool) -> Callable[..., Any]:
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    def retry_condition(_task: Any, _run: Any, state: Any) -> bool:
        return transient(state.result(raise_on_failure=False))

    make: Any = task  # its overloads do not know a policy that is chosen at run time
    return cast(
        "Callable[..., Any]",
        make(
            journaled,
            name=journaled.__name__.replace("_", " "),
            # No tags: for each one Prefect asks the server for a slot, and a dead server would fail the step.
            description=kind,
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=len(_DELAYS_SECONDS) if retries else 0,
            retry_delay_seconds=list(_DELAYS_SECONDS) if retries else None,
            retry_jitter_factor=0.3 if retries else None,
            retry_condition_fn=retry_condition if retries else None,
            # Probes run side by side in threads, where Prefect can only warn that it can't stop them.
            timeout_seconds=_BACKSTOP_SECONDS if kind == "action" else None,
        ),
    )


def _with_retries(function: Callable[..., R], retries: bool, args: Any, kwargs: Any) -> R:
    for delay in _DELAYS_SECONDS if retries else ():
        try:
            return function(*args, **kwargs)
        except RecoveryError as error:
            if not transient(error):
                raise
            warn(f"{function.__name__}: {error.problem}; asking again")
            time.sleep(delay * random.uniform(1.0, 1.3))
    return function(*args, **kwargs)


def _flow_run_name(run_name: Callable[..., str]) -> str:
    from prefect.runtime import flow_run

    try:
        return _fit(run_name(**flow_run.parameters))
    except Exception:  # of what nobody can mean: the run itself says why it is refused
        return _fit(f"{run_name.__name__.removesuffix('_name').replace('_', ' ')}, refused")


def _fit(name: str) -> str:
    return redact(" ".join(name.split()))[:LONGEST]


def _journaled(function: Callable[P, R], run_name: Callable[..., str]) -> Callable[P, R]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        require(
            parameter_values_refusal(signature.bind(*args, **kwargs).arguments), next_step="correct it, or leave it out"
        )
        journal = current_journal()
        if journal is not None:
            return function(*args, **kwargs)  # part of another runbook: one journal for both
        journal = open_journal(site().runs_dir, function.__name__.replace("_", "-"))
        with writing_to(journal):
            return _run_and_keep(function, _fit(run_name(*args, **kwargs)), args, kwargs)

    return run


def _run_and_keep(function: Callable[..., R], name: str, args: Any, kwargs: Any) -> R:
    journal = current_journal()
    assert journal is not None
    begin = datetime.now(UTC)
    journal.write(
        "run begin",
        runbook=function.__name__,
        name=name,
        parameters={k: str(v) for k, v in kwargs.items()},
        pid=os.getpid(),
        flow_run_id=flow_run_id(),
    )
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        with stopping.finishing():
            journal.write("run failed", error=f"{type(error).__name__}: {error}", seconds=_seconds_since(begin))
            _keep()
        raise
    with stopping.too_late():
        journal.write("run done", seconds=_seconds_since(begin))
        _keep()
        stopping.nothing_left_to_stop()
    return result


def _keep() -> None:
    """Put the journal into the evidence bucket; a failure is only a warning."""
    journal = current_journal()
    assert journal is not None
    try:
        site().evidence.keep_folder(journal.folder, f"runs/{journal.run_id}")
    except Exception as error:  # nothing here may stop or fail a recovery
        warn(f"the journal stays on this machine only ({journal.folder}): {error}")


def _seconds_since(begin: datetime) -> float:
    return round((datetime.now(UTC) - begin).total_seconds(), 3)


def _logger() -> Any:
    if in_flow_run():
        from prefect import get_run_logger

        return get_run_logger()
    return log
