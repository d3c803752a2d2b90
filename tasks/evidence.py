"""What a run gathers (logs, events, specifications, facts) is kept as it was, with its checksum."""

from __future__ import annotations

import hashlib

from recovery.errors import RecoveryError
from recovery.facts import EvidenceFile
from recovery.redaction import redact
from tasks.current_incident import current


def keep_evidence(name: str, content: str | bytes) -> EvidenceFile:
    """Keep a file with the incident of this run, secrets masked; noted with its SHA-256, and copied to the bucket.

    What cannot be kept is a warning: the recovery comes first. Outside of an incident nothing is kept.
    """
    run = current()
    if run is None:
        return _unkept(name, content)
    try:
        path, file = run.folder.keep(run.name, name, content)
    except (OSError, RecoveryError) as error:
        run.warn_once(f"evidence {name}", f"evidence {name} was not kept: {error}")
        return _unkept(name, content)
    where = path.relative_to(run.folder.folder).as_posix()
    run.note("evidence", name=file.name, file=where, sha256=file.sha256, bytes=file.bytes, run=run.name)
    run.copy(path)
    return file


def _unkept(name: str, content: str | bytes) -> EvidenceFile:
    data = redact(content).encode(errors="replace") if isinstance(content, str) else content
    return EvidenceFile(redact(name), hashlib.sha256(data).hexdigest(), len(data))
