"""Evidence on disk: files that a run gathered, as they were, with secrets masked and a checksum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from recovery.facts import EvidenceFile
from recovery.ownership import make_folder, make_ours, read_ours
from recovery.redaction import redact

_ODD = re.compile(r"[^\w.-]", re.ASCII)
_KEPT = re.compile(r"evidence/(?!\.)[\w.-]+/(?!\.)[\w.-]+", re.ASCII)
_LONGEST_NAME = 100


def keep_evidence_file(folder: Path, run: str, name: str, content: str | bytes) -> tuple[Path, EvidenceFile]:
    """Keep a file under its run's name; where it is, and what it is. Two of one name are two files."""
    data = _masked(content)
    place = folder / _plain_name(run)
    make_folder(folder, mode=0o750)
    make_folder(place, mode=0o750)
    return _made(place, _plain_name(name), data), _file(redact(name), data)


def evidence_file_now(incident: Path, file: str) -> EvidenceFile | None:
    """A kept file as it is today, by its path in the incident's folder; None when it is not there."""
    data = read_ours(incident / file) if _KEPT.fullmatch(file) else None
    return None if data is None else _file(file, data)


def _file(name: str, data: bytes) -> EvidenceFile:
    return EvidenceFile(name, hashlib.sha256(data).hexdigest(), len(data))


def _masked(content: str | bytes) -> bytes:
    if isinstance(content, str):
        return redact(content).encode(errors="replace")
    # One odd byte in a log must not let a password through.
    return redact(content.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _plain_name(name: str) -> str:
    """A name that stays in its folder, whatever a pod is called."""
    return _ODD.sub("_", name).lstrip(".")[-_LONGEST_NAME:].lstrip(".") or "unnamed"


def _made(place: Path, name: str, data: bytes) -> Path:
    """Have it there under a name that no other has."""
    for path in _names(place, name):
        try:
            make_ours(path, data, rights=0o640)
        except FileExistsError:
            continue
        return path
    raise AssertionError("there is always another number")


def _names(place: Path, name: str) -> Iterable[Path]:
    stem, dot, ending = name.rpartition(".")
    yield place / name
    number = 1
    while True:
        number += 1
        yield place / (f"{stem}-{number}.{ending}" if dot and stem else f"{name}-{number}")
