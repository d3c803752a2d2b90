"""The record of an incident on this machine: a folder with its events, its evidence and its approvals.

Events are lines that are only ever added, one file per machine: nothing that somebody noted is lost to somebody else's
writing, and machines that took turns tell one story when their files are read together.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.errors import SettingsInvalid
from recovery.facts import Incident, IncidentEvent
from recovery.facts.incident import incident_of
from recovery.journal import masked_json
from recovery.ownership import give_to_owner_above, make_folder, make_state_folder, open_ours

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVENTS = re.compile(r"events\.[\w-]+\.jsonl")


@dataclass(frozen=True)
class IncidentFolder:
    """Where this machine keeps what it knows of one incident."""

    id: str
    folder: Path

    @property
    def events_file(self) -> Path:
        """What this machine noted."""
        return self.folder / f"events.{_machine()}.jsonl"

    def note(self, event: str, *, by: str = "", **details: Any) -> IncidentEvent:
        """Add an event and have it on disk before going on; secrets are masked."""
        entry = {"at": datetime.now(UTC).isoformat(), "event": event, "by": by, **details}
        line = masked_json(entry)
        with open_ours(self.events_file, "a") as out:
            out.write(line + "\n")
            out.flush()
            os.fsync(out.fileno())
        return _event(json.loads(line))

    def read(self, elsewhere: Mapping[str, bytes] | None = None) -> Incident:
        """What is known of it here, and in what other machines noted (`elsewhere`: file name → content)."""
        texts = {file.name: file.read_text() for file in self.folder.iterdir() if _EVENTS.fullmatch(file.name)}
        for name, content in (elsewhere or {}).items():
            if name != self.events_file.name and _EVENTS.fullmatch(name):
                texts[name] = content.decode(errors="replace")
        return incident_of(self.id, (one for text in texts.values() for one in _events(text)))


def new_incident_id() -> str:
    """A name for an incident that nobody named: when, and enough chance that no two are the same."""
    return f"INC-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def incident_id_refusal(incident_id: str) -> str | None:
    """Why this cannot be the name of an incident: it names a folder, and objects in a bucket."""
    if _ID.fullmatch(incident_id):
        return None
    return f"{incident_id!r} is no incident's name: letters, digits, dots, dashes and underscores, at most 64"


def open_incident_folder(incidents_dir: Path, incident_id: str) -> IncidentFolder:
    """The folder of an incident, made when it is not there.

    Raises: SettingsInvalid for a name that cannot be one, or when this user may not write there.
    """
    if refusal := incident_id_refusal(incident_id):
        raise SettingsInvalid(refusal, "write --incident as the tracker calls it, e.g. INC-4711")
    folder = incidents_dir / incident_id
    make_state_folder(incidents_dir.parent)
    make_folder(incidents_dir)
    give_to_owner_above(incidents_dir)
    make_folder(folder, mode=0o750)
    return IncidentFolder(incident_id, folder)


def incident_folders(incidents_dir: Path) -> list[IncidentFolder]:
    """Every incident that this machine knows of."""
    if not incidents_dir.exists():
        return []
    return [IncidentFolder(one.name, one) for one in sorted(incidents_dir.iterdir()) if _ID.fullmatch(one.name)]


def _events(text: str) -> Iterable[IncidentEvent]:
    for line in text.splitlines():
        try:
            yield _event(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue  # a crash cut it short


def _event(entry: dict[str, Any]) -> IncidentEvent:
    details = {key: value for key, value in entry.items() if key not in ("at", "event", "by")}
    return IncidentEvent(datetime.fromisoformat(entry["at"]), entry["event"], details, entry.get("by", ""))


def _machine() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname()) or "here"
