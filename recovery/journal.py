"""What a run did, step by step, on disk as it happens; it needs neither Prefect nor a network."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.errors import RecoveryError
from recovery.ownership import give_to_owner_above, make_folder, make_state_folder, open_ours
from recovery.redaction import redact, redacted

# Who hears every entry of every journal of this process: the terminal of a `recover` command.
DEFAULT_LISTENERS: list[Callable[[dict[str, Any]], None]] = []


@dataclass
class Journal:
    """The journal of one run: a folder with `journal.jsonl` and the files the run leaves."""

    run_id: str
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "journal.jsonl"

    def write(self, event: str, **details: Any) -> None:
        """Add one entry, have it on disk before going on, and tell who listens."""
        entry = self.write_unheard(event, **details)
        for listener in DEFAULT_LISTENERS:
            listener(entry)

    def write_unheard(self, event: str, **details: Any) -> dict[str, Any]:
        """Add one entry and have it on disk before going on."""
        entry = {"at": datetime.now(UTC).isoformat(), "run": self.run_id, "event": event, **details}
        line = masked_json(entry)
        with open_ours(self.file, "a") as out:
            out.write(line + "\n")
            out.flush()
            os.fsync(out.fileno())
        told: dict[str, Any] = json.loads(line)
        return told

    def entries(self) -> list[dict[str, Any]]:
        """All entries so far. A line that a crash cut short is passed over."""
        found = []
        for line in self.file.read_text().splitlines() if self.file.exists() else []:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    @contextmanager
    def step(self, kind: str, name: str) -> Iterator[None]:
        """Note the begin, the end and the outcome of a step."""
        begin = datetime.now(UTC)
        self.write("begin", kind=kind, step=name)
        try:
            yield
        except BaseException as error:
            self.write("failed", kind=kind, step=name, seconds=_since(begin), error=f"{type(error).__name__}: {error}")
            raise
        self.write("done", kind=kind, step=name, seconds=_since(begin))

    def leave(self, name: str, text: str) -> Path:
        """Keep a document (plan, report, check results) beside the journal."""
        path = self.folder / name
        with open_ours(path, "w") as out:
            out.write(redact(text))
        return path


def masked_json(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON that may be kept: text by text, for in finished JSON a secret with a quote looks different."""
    return json.dumps(redacted(json.loads(json.dumps(value, default=plain))), indent=indent)


def plain(value: Any) -> Any:
    """A value as JSON knows it: dataclasses as objects, times as ISO 8601, paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def _since(begin: datetime) -> float:
    return round((datetime.now(UTC) - begin).total_seconds(), 3)


_current: ContextVar[Journal | None] = ContextVar("journal", default=None)


def new_run_id(name: str) -> str:
    """A name for a run: when, what, and enough chance that no two are the same."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(3)}"


def open_journal(runs_dir: Path, name: str) -> Journal:
    """Begin the journal of a new run.

    Raises: SettingsInvalid when this user may not write there.
    """
    run_id = new_run_id(name)
    folder = runs_dir / run_id
    make_state_folder(runs_dir.parent)
    make_folder(runs_dir)
    give_to_owner_above(runs_dir)  # root may have made it when root kept what it made
    make_folder(folder, mode=0o750, exist_ok=False)
    return Journal(run_id, folder)


def current_journal() -> Journal | None:
    """The journal of the run that we are in, if we are in one."""
    return _current.get()


def note_hangup() -> None:
    """Note that nobody reads along any more. Nothing is said: this comes in the middle of whatever is said just then."""
    if journal := current_journal():
        with suppress(OSError, RecoveryError):  # it comes out of a signal handler: a full disk must not end a recovery
            journal.write_unheard("note", message="the terminal was closed; this run goes on to its end without it")


@contextmanager
def writing_to(journal: Journal) -> Iterator[Journal]:
    """Make this the journal of everything that runs inside."""
    token = _current.set(journal)
    try:
        yield journal
    finally:
        _current.reset(token)
