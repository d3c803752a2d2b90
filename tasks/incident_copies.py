"""What is known of an incident in the evidence bucket: never in the way of a recovery, whatever S3 does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from recovery.errors import RecoveryError, TargetUnreachable
from recovery.incident import IncidentFolder, is_events_file
from recovery.ownership import read_ours
from recovery.roles import Documents
from recovery.site import site

R = TypeVar("R")

_LAST_SECONDS = 5.0  # at its end a recovery waits so long for its copies
_REST_SECONDS = 60.0  # a bucket that failed is left alone for a while


class IncidentCopies:
    """Copies files of an incident's folder into the bucket, beside the recovery; one that failed is tried again."""

    def __init__(self, incident: IncidentFolder) -> None:
        self._incident = incident
        self._missing: dict[Path, None] = {}
        self._changed = threading.Condition()
        self._works = False
        self._all = False
        self._trouble: str | None = None
        self._rest_until = 0.0

    @property
    def trouble(self) -> str | None:
        """Why something is not there, if so."""
        return self._trouble

    def copy(self, file: Path) -> None:
        """Have this file there as it is now, some time soon. Returns at once."""
        with self._changed:
            self._missing[file] = None
            self._start()

    def copy_all(self) -> None:
        """Have there whatever of this incident is not, also of runs whose bucket was dead. Returns at once."""
        with self._changed:
            self._all = True
            self._start()

    def finish(self, seconds: float | None = None) -> str | None:
        """Wait for what is under way; why something is not there, or None. Waits: some seconds, or as many as told."""
        seconds = _LAST_SECONDS if seconds is None else seconds
        with self._changed:
            self._rest_until = 0.0
            self._start()
            self._changed.wait_for(lambda: not self._works, seconds)
            if not self._missing and not self._works and not self._all:
                return None
            return self.trouble or f"the bucket did not answer within {seconds:.0f} s"

    def _start(self) -> None:
        if (self._missing or self._all) and not self._works and time.monotonic() >= self._rest_until:
            self._works = True
            # A thread that dies with us: a bucket that hangs must not hold up the end of a command.
            threading.Thread(target=self._work, name="incident copies", daemon=True).start()

    def _work(self) -> None:
        documents = site().incident_documents(self._incident.id)
        try:
            while self._works:
                if self._all:
                    self._add_what_is_missing(documents.sizes())
                if file := self._next():
                    self._copy_one(documents, file)
        except (OSError, RecoveryError) as error:
            with self._changed:
                self._trouble = error.problem if isinstance(error, RecoveryError) else str(error)
                self._works = False
                self._rest_until = time.monotonic() + _REST_SECONDS
                self._changed.notify_all()

    def _add_what_is_missing(self, there: Mapping[str, int]) -> None:
        # Shorter than what is there is an older state of it, from a snapshot: events are only ever added.
        files = [file for file in self._incident.own_files() if there.get(self._name(file), -1) < file.lstat().st_size]
        with self._changed:
            self._missing |= dict.fromkeys(files)
            self._all = False

    def _copy_one(self, documents: Documents, file: Path) -> None:
        try:
            content = read_ours(file)
            if content is not None:
                documents.keep(self._name(file), content)
        except (OSError, RecoveryError):
            with self._changed:
                self._missing[file] = None
            raise

    def _name(self, file: Path) -> str:
        return file.relative_to(self._incident.folder).as_posix()

    def _next(self) -> Path | None:
        """What is copied next; None ends the work, unless something came in between."""
        with self._changed:
            file = next(iter(self._missing), None)
            if file is not None:
                del self._missing[file]
            elif not self._all:
                self._works, self._trouble = False, None
                self._changed.notify_all()
            return file


def noted_elsewhere(incident_id: str, *, seconds: float) -> Mapping[str, bytes]:
    """What machines put into the bucket of this incident: name of the events file → content.

    Raises: RecoveryError when the bucket cannot be read within `seconds`.
    """

    def look() -> Mapping[str, bytes]:
        documents = site().incident_documents(incident_id)
        names = [name for name in documents.names() if is_events_file(name)]
        return {name: documents.read(name) or b"" for name in names}

    return within(seconds, look)


def within(seconds: float, look: Callable[[], R]) -> R:
    """What a look at the bucket finds, when it comes in time.

    Raises: RecoveryError of the look. TargetUnreachable when it did not answer within `seconds`.
    """
    found: list[R] = []
    failed: list[RecoveryError] = []

    def ask() -> None:
        try:
            found.append(look())
        except RecoveryError as error:
            failed.append(error)

    thread = threading.Thread(target=ask, name="look at the bucket", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TargetUnreachable(
            f"bucket {site().settings.evidence_bucket} did not answer within {seconds:.0f} s",
            "check the network and the region's state",
        )
    return found[0]
