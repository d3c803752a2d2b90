"""A runbook as a Prefect flow. Imported only in a process that has Prefect already."""

from __future__ import annotations

from typing import Any, ParamSpec, TypeVar

from prefect import Flow

from tasks.server_loss import run_in_spite_of_the_server
from tasks.step import in_flow_run

P = ParamSpec("P")
R = TypeVar("R")


class RunbookFlow(Flow[P, R]):
    """A flow that goes on when it is called by another one and the server is lost."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it: as a run of its own, shown under the one that calls it."""

        def run(flow: Flow[P, R]) -> Any:
            return Flow.__call__(flow, *args, **kwargs)

        if not in_flow_run():
            return run(self)
        return run_in_spite_of_the_server(self, run, lambda: self.fn(*args, **kwargs))
