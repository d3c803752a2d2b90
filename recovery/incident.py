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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.errors import SettingsInvalid
from recovery.evidence import evidence_file_now, keep_evidence_file
from recovery.facts import EvidenceFile, Incident, IncidentEvent
from recovery.facts.incident import incident_of, moment_of
from recovery.journal import masked_json
from recovery.ownership import (
    disk_trouble,
    give_to_owner_above,
    make_folder,
    make_state_folder,
    names_in,
    open_ours,
    read_ours,
    replace_ours,
)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EVENTS = re.compile(r"events\.([\w-]+)\.jsonl", re.ASCII)


@dataclass(frozen=True)
class IncidentFolder:
    """Where this machine keeps what it knows of one incident; `elsewhere/` holds what others noted."""

    id: str
    folder: Path

    @property
    def events_file(self) -> Path:
        """What this machine noted. Its name is nobody else's, also when two machines have one name."""
        ours = re.compile(rf"events\.{re.escape(_machine())}-[0-9a-f]{{8}}\.jsonl")
        mine = [one for one in self._event_files(self.folder) if ours.fullmatch(one)]
        return self.folder / (mine[0] if mine else f"events.{_machine()}-{secrets.token_hex(4)}.jsonl")

    @property
    def elsewhere(self) -> Path:
        """What other machines noted, as it was seen last."""
        return self.folder / "elsewhere"

    def note(self, event: str, *, by: str = "", **details: Any) -> IncidentEvent:
        """Add an event and have it on disk before going on; secrets are masked."""
        told = {"at": datetime.now(UTC).isoformat(), "event": event, "by": by}
        line = masked_json(told | details | told)
        with disk_trouble(self.events_file), open_ours(self.events_file, "a+", rights=0o640) as out:
            end = os.fstat(out.fileno()).st_size
            cut_short = end and os.pread(out.fileno(), 1, end - 1) != b"\n"  # by a crash: it must not spoil this one
            os.write(out.fileno(), (b"\n" if cut_short else b"") + line.encode() + b"\n")  # at once: others write, too
            os.fsync(out.fileno())
        return _event(json.loads(line), _machine())

    def read(self, elsewhere: Mapping[str, bytes] | None = None) -> Incident:
        """What is known of it here, and in what other machines noted (`elsewhere`: file name → content).

        Raises: SettingsInvalid when this user may not look.
        """
        return incident_from(self.id, together(self.known(), elsewhere or {}))

    def noted(self) -> dict[str, bytes]:
        """What this machine noted: file name → content."""
        return {name: read_ours(self.folder / name) or b"" for name in self._event_files(self.folder)}

    def known(self) -> dict[str, bytes]:
        """What this machine noted, and what it learned of others: file name → content."""
        others = {name: read_ours(self.elsewhere / name) or b"" for name in self._event_files(self.elsewhere)}
        return others | self.noted()

    def own_files(self) -> list[Path]:
        """What belongs into the bucket: what this machine noted, and the evidence of its runs."""
        evidence = self.folder / "evidence"
        kept = [evidence / run / name for run in names_in(evidence) for name in names_in(evidence / run)]
        return [self.folder / name for name in self._event_files(self.folder)] + kept

    def learn(self, elsewhere: Mapping[str, bytes]) -> None:
        """Keep what other machines noted, for when nobody can be asked."""
        ours = self._event_files(self.folder)
        make_folder(self.elsewhere, mode=0o750)
        for name, content in elsewhere.items():
            if _EVENTS.fullmatch(name) and name not in ours:
                known = read_ours(self.elsewhere / name) or b""
                if len(content) > len(known):
                    with disk_trouble(self.elsewhere / name):
                        replace_ours(self.elsewhere / name, content.decode(errors="replace"), rights=0o640)

    def keep(self, run: str, name: str, content: str | bytes) -> tuple[Path, EvidenceFile]:
        """Keep a file that a run gathered, with secrets masked; where it is, and what it is."""
        return keep_evidence_file(self.folder / "evidence", run, name, content)

    def evidence_now(self, file: str) -> EvidenceFile | None:
        """A piece of evidence as it is today; None when it is not on this machine."""
        return evidence_file_now(self.folder, file)

    @staticmethod
    def _event_files(folder: Path) -> list[str]:
        return [name for name in names_in(folder) if _EVENTS.fullmatch(name)]


def new_incident_id() -> str:
    """A name for an incident that nobody named: when, and enough chance that no two are the same."""
    return f"INC-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def incident_id_refusal(incident_id: str) -> str | None:
    """Why this cannot be the name of an incident: it names a folder, and objects in a bucket."""
    if _ID.fullmatch(incident_id):
        return None
    return f"{incident_id!r} is no incident's name: letters, digits, dots, dashes and underscores, at most 64"


def is_events_file(name: str) -> bool:
    """Whether this is the name of a file that a machine noted events in."""
    return _EVENTS.fullmatch(name) is not None


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
    """Every incident that this machine knows of.

    Raises: SettingsInvalid when this user may not look.
    """
    return [IncidentFolder(name, incidents_dir / name) for name in names_in(incidents_dir) if _ID.fullmatch(name)]


def together(*noted: Mapping[str, bytes]) -> dict[str, bytes]:
    """What several places hold of the same files: they only grow, so of each the longest."""
    found: dict[str, bytes] = {}
    for place in noted:
        for name, content in place.items():
            if len(content) >= len(found.get(name, b"")):
                found[name] = content
    return found


def incident_from(incident_id: str, noted: Mapping[str, bytes]) -> Incident:
    """An incident from what machines noted of it (file name → content), without a folder here."""
    told = ((name, content) for name, content in noted.items() if _EVENTS.fullmatch(name))
    return incident_of(incident_id, (_events(content, _writer(name)) for name, content in told))


def _events(content: bytes, writer: str) -> Iterator[IncidentEvent]:
    for line in content.decode(errors="replace").split("\n"):
        try:
            yield _event(json.loads(line), writer)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # a crash cut it short, or somebody else wrote there


def _event(entry: dict[str, Any], writer: str) -> IncidentEvent:
    at = moment_of(entry["at"])
    if at is None or not isinstance(entry["event"], str):
        raise ValueError("no event")
    details = {key: value for key, value in entry.items() if key not in ("at", "event", "by")}
    return IncidentEvent(at, entry["event"], details, str(entry.get("by") or ""), writer)


def _machine() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname(), flags=re.ASCII) or "here"


def _writer(name: str) -> str:
    """The machine whose file this is."""
    found = _EVENTS.fullmatch(name)
    return re.sub(r"-[0-9a-f]{8}$", "", found[1]) if found else ""
