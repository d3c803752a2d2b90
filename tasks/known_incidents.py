"""Every incident that this machine or the bucket knows of; what could not be looked at is said."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

from recovery.errors import GateRefused, RecoveryError
from recovery.facts import Incident
from recovery.incident import (
    IncidentFolder,
    incident_folders,
    incident_from,
    incident_id_refusal,
    is_events_file,
    together,
)
from recovery.roles import Documents
from recovery.site import site
from tasks.incident_copies import noted_elsewhere, within

LOOK_SECONDS = 20.0  # a person waits; S3's client alone takes some to load on a busy machine
_SIDE_BY_SIDE = 8
_SHOWN = 10

Noted = dict[str, dict[str, bytes]]


@dataclass(frozen=True)
class KnownIncidents:
    """The incidents, newest first, and why some may be missing."""

    incidents: tuple[Incident, ...]
    unseen: tuple[str, ...]


def read_incidents(*, seconds: float | None = LOOK_SECONDS) -> KnownIncidents:
    """Every incident that this machine or the bucket knows of; with no `seconds` for the bucket, this machine alone.

    Waits: for a list and then for what is in it, `seconds` each at most.
    """
    here, unseen = _noted_here()
    there: Noted = {}
    try:
        if seconds is not None:
            there, missed = _noted_there(here, seconds)
            unseen += missed
    except RecoveryError as error:
        unseen.append(f"what other machines noted: {error.problem}")
    found = [incident_from(one, together(here.get(one, {}), there.get(one, {}))) for one in {**here, **there}]
    known = [one for one in found if one.events]
    return KnownIncidents(tuple(sorted(known, key=_begun, reverse=True)), tuple(unseen))


def find_incident(incident_id: str) -> tuple[Incident, tuple[str, ...]]:
    """One incident, here or in the bucket, and what could not be looked at.

    Raises: GateRefused naming those that are known when this one is not.
    """
    unseen: list[str] = []
    noted: dict[str, bytes] = {}
    if incident_id_refusal(incident_id) is None:
        try:
            noted = IncidentFolder(incident_id, site().incidents_dir / incident_id).known()
        except RecoveryError as error:
            unseen.append(f"{incident_id} on this machine: {error.problem}")
        try:
            noted = together(noted, noted_elsewhere(incident_id, seconds=LOOK_SECONDS))
        except RecoveryError as error:
            unseen.append(f"what other machines noted of {incident_id}: {error.problem}")
    known = incident_from(incident_id, noted)
    if not known.events:
        raise _unknown(incident_id, unseen)
    return known, tuple(unseen)


def _unknown(incident_id: str, unseen: list[str]) -> GateRefused:
    names = [one.id for one in read_incidents(seconds=None if unseen else LOOK_SECONDS).incidents]
    known = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    missed = f" ({'; '.join(unseen)})" if unseen else ""
    return GateRefused(
        f"there is no incident {incident_id!r}{missed}; known: {known or 'none'}",
        "choose one of: recover incident list",
    )


def _noted_here() -> tuple[Noted, list[str]]:
    """What is on this disk; a folder that this user may not read is named."""
    noted: Noted = {}
    unseen: list[str] = []
    try:
        folders = incident_folders(site().incidents_dir)
    except RecoveryError as error:
        return {}, [error.problem]
    for folder in folders:
        try:
            noted[folder.id] = folder.known()
        except RecoveryError as error:
            unseen.append(f"{folder.id}: {error.problem}")
    return noted, unseen


def _noted_there(here: Noted, seconds: float) -> tuple[Noted, list[str]]:
    """What is in the bucket and not already here: files only grow, so one of the same size is the same."""
    documents = site().incident_documents()
    sizes = within(seconds, documents.sizes)
    wanted = []
    for name, size in sizes.items():
        incident, _, file = name.partition("/")
        ours = is_events_file(file) and incident_id_refusal(incident) is None
        if ours and len(here.get(incident, {}).get(file, b"")) < size:
            wanted.append(name)
    found, unseen = _read_together(documents, wanted, seconds)
    noted: Noted = {}
    for name, content in found.items():
        incident, _, file = name.partition("/")
        noted.setdefault(incident, {})[file] = content
    return noted, unseen


def _read_together(documents: Documents, names: list[str], seconds: float) -> tuple[dict[str, bytes], list[str]]:
    """Several documents side by side, as many as come in time. In threads that die with us."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    found: dict[str, bytes] = {}
    failed: list[RecoveryError] = []
    for name in names:
        waiting.put(name)

    def work() -> None:
        while not failed:
            try:
                name = waiting.get_nowait()
                found[name] = documents.read(name) or b""
            except queue.Empty:
                return
            except RecoveryError as error:
                failed.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_SIDE_BY_SIDE, len(names)))]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    read = dict(found)
    if len(read) == len(names):
        return read, []
    why = failed[0].problem if failed else f"not within {seconds:.0f} s"
    return read, [f"{len(names) - len(read)} of {len(names)} files in the bucket: {why}"]


def _begun(known: Incident) -> tuple[str, str]:
    return known.events[0].at.isoformat(), known.id
