"""Documents that a run shows: kept beside its journal always, and in the Prefect UI when that answers.

Never in the way of a recovery: Prefect's own client would try again for a minute and a half, so the
server is asked directly, once, with a short deadline, and a refusal is a warning. Tables use half
the width of the page: five narrow columns at most.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from recovery.facts import Progress
from recovery.journal import current_journal
from recovery.redaction import redact
from tasks.server_api import ServerTrouble, ask_server
from tasks.step import flow_run_id, in_flow_run, progress_line, tell_log, warn

# A server that gave no answer is left alone for a while, so that a long recovery with many documents waits for it once
# and not each time.
_REST_SECONDS = 120.0
_PROGRESS_SECONDS = 3.0

# A _ inside of a word means nothing.
_MEANS_SOMETHING = re.compile(r"[\\|`*~\[\]]|(?<!\w)_|_(?!\w)")

_silent_until = 0.0


def publish_table(key: str, rows: Sequence[Mapping[str, str]], description: str) -> None:
    """Show a table. Every row has the same columns."""
    _keep(f"{key}.md", f"## {description}\n\n{markdown_table(rows)}\n")
    if not rows:
        _publish(key, "markdown", markdown_table(rows), description)
        return
    cells = [{column: redact(str(cell)) for column, cell in row.items()} for row in rows]
    _publish(key, "table", json.dumps(cells), description)


def publish_markdown(key: str, text: str, description: str) -> None:
    """Show a document: a plan, a report."""
    _keep(f"{key}.md", text)
    _publish(key, "markdown", redact(text), description)


class ProgressArtifact:
    """A bar in the UI for one long step: call it with every Progress; it passes on one in three seconds.

    An open page of the bar does not move by itself. The log lines of `ProgressReporter` do.
    """

    def __init__(self, key: str, description: str) -> None:
        self._key = key
        self._description = description
        self._id: str | None = None
        self._due = 0.0
        self._off = not in_flow_run()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._off or progress.percent is None or (now < self._due and progress.percent < 100):
            return
        self._due = now + _PROGRESS_SECONDS
        self._show(progress.percent, progress_line(progress))

    def end(self) -> None:
        """The step is done; the last Progress that came was hardly ever the very end."""
        if not self._off:
            self._show(100.0, "done")

    def _show(self, percent: float, line: str) -> None:
        shown = {"data": percent, "description": redact(f"{self._description}: {line}")}
        if self._id:
            self._off = _ask("PATCH", f"/artifacts/{self._id}", shown) is None
            return
        made = _create({"key": self._key, "type": "progress", **shown})
        self._id, self._off = made, made is None


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as a table of a Markdown document."""
    if not rows:
        return "Nothing to show."
    columns = list(rows[0])
    head, *lines = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
    return "\n".join([_line(head), "| " + " | ".join("---" for _ in columns) + " |", *map(_line, lines)])


def markdown_cell(text: str) -> str:
    """A text as it is, in a cell: a name may hold what Markdown or HTML would take for something else."""
    # Redacted here: once escaped, a secret looks different.
    escaped = _MEANS_SOMETHING.sub(r"\\\g<0>", " ".join(redact(text).split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(markdown_cell, cells)) + " |"


def _keep(name: str, text: str) -> None:
    """The copy that needs no server."""
    if journal := current_journal():
        try:
            journal.leave(name, text)
        except OSError as error:
            warn(f"{name} was not kept beside the journal: {error}")


def _publish(key: str, kind: str, data: str, description: str) -> None:
    if not in_flow_run():
        return
    if made := _create({"key": key, "type": kind, "data": data, "description": description}):
        from prefect.settings import get_current_settings

        tell_log(f"{description}: {get_current_settings().ui_url or ''}/artifacts/artifact/{made}")


def _create(artifact: dict[str, Any]) -> str | None:
    """Make an artifact of this flow run; its id, or None after a warning."""
    made = _ask("POST", "/artifacts/", artifact | {"flow_run_id": flow_run_id()})
    return str(made["id"]) if made else None


def _ask(method: str, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """One request to the server of this run; None after a warning when it did not take it in time."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return None  # that it does not answer was said
    try:
        return ask_server(method, path, body) or {}
    except ServerTrouble as error:
        if error.silent:
            _silent_until = time.monotonic() + _REST_SECONDS
        warn(f"not shown in the UI: {error}")
        return None
