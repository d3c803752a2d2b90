"""What a person sees: tables, progress, JSON; and how a command runs a flow."""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any, TextIO

import typer

from recovery import stopping
from recovery.cli.server_runs import use_server
from recovery.errors import Interrupted
from recovery.journal import plain

Json = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]


def print_json(value: Any) -> None:
    """Print a fact, or a list of facts, as JSON."""
    print(json.dumps(_jsonable(value), default=plain, indent=2))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", to: TextIO | None = None) -> None:
    """Print a table as wide as the terminal; in a pipe as wide as it needs."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = to or sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else 200, highlight=False)
    shown = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in head:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))  # and not markup: a name may hold brackets
    console.print(shown)


def show_run(module: str, name: str, quiet: bool, *, part: bool = False, **parameters: Any) -> Any:
    """Run a flow and show how it goes.

    With the site's Prefect server answering it is a flow run there; without one the same function
    runs here, with the same journal. When it has ended, what is left to say is said whoever stops us; not after
    what is only a `part` of the command.
    """
    from recovery import journal
    from recovery.site import site

    here = site()  # wrong settings are named before anything else happens
    server = None if os.environ.get("RECOVERY_NO_SERVER") == "1" else use_server(here)
    flow: Callable[..., Any] = getattr(importlib.import_module(module), name)
    run = functools.partial(server.run, flow) if server else flow
    with stopping.outliving_the_terminal(journal.note_hangup), _Screen(quiet) as screen:
        journal.DEFAULT_LISTENERS.append(screen.show)
        stopping.more_follows()
        try:
            return run(**parameters)
        except KeyboardInterrupt as stop:
            raise screen.stopped(stop) from stop
        finally:
            journal.DEFAULT_LISTENERS.remove(screen.show)
            if part:
                stopping.more_follows()


class _Screen:
    """Steps as lines, progress as a bar; on a terminal only."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._begun = self._done = ""

    def __enter__(self) -> _Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_bar()

    def stopped(self, stop: BaseException) -> Interrupted:
        """What a person who stopped this run has to know: how far it was, and how to go on."""
        during = f" during the step “{self._begun}”" if self._begun else " before its first step"
        last = f"the last completed step is “{self._done}”" if self._done else "no step was completed"
        return Interrupted(f"{stop or 'stopped'}{during}", f"{last}; to go on, run the same command again")

    def show(self, entry: dict[str, Any]) -> None:
        """An entry of the journal, as it comes."""
        if entry["event"] in ("begin", "done") and not stopping.asked():  # what clears away is no way forward
            name = entry["step"].replace("_", " ")
            self._begun, self._done = (name, self._done) if entry["event"] == "begin" else (self._begun, name)
        if not self._quiet or entry.get("loud"):
            self._show(entry)

    def _show(self, entry: dict[str, Any]) -> None:
        match entry["event"]:
            case "progress":
                self._progress(entry)
            case "note" | "warning":
                self._line(f"  {'! ' if entry['event'] == 'warning' else ''}{entry['message']}")
            case "done":
                self._line(f"✓ {entry['step'].replace('_', ' ')} ({entry['seconds']:.1f} s)")
            case "failed":
                self._line(f"✗ {entry['step'].replace('_', ' ')} ({entry['seconds']:.1f} s)")

    def _line(self, text: str) -> None:
        self._end_bar()
        print(text, file=sys.stderr, flush=True)

    def _progress(self, entry: dict[str, Any]) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            self._begin_bar()
        shown = f"{entry['phase']} {entry['detail']}"
        if entry["mb_per_second"]:
            shown += f" {entry['mb_per_second']} MB/s"
        if entry["seconds_left"] is not None:
            shown += f" · {entry['seconds_left']} s left"
        self._bar.update(
            self._task,
            description=shown,
            completed=entry["percent"] or 0,
            total=100 if entry["percent"] is not None else None,
        )

    def _begin_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("")

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _jsonable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_jsonable(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
