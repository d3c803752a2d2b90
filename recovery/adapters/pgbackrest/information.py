"""Read what pgBackRest prints: `info`, `repo-ls` and `verify` as facts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recovery.errors import CommandFailed, SettingsInvalid, VerificationFailed
from recovery.facts import ArchivedCluster, ArchivedSegment, BackupSet
from recovery.wal import History, Segment, parse_lsn

_SEGMENT_FILE = re.compile(r"/([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$")
_HISTORY_FILE = re.compile(r"/([0-9A-F]{8})\.history$")


def read_sets(text: str, repo: int, stanza: str) -> tuple[BackupSet, ...]:
    """The sets of one repository, oldest first, from `info --output=json`.

    `info` ends with status 0 whatever is wrong; its own status code is what counts.
    Raises: SettingsInvalid when the repository cannot be read with this key or has no stanza.
    """
    stanzas = [entry for entry in _json(text) if entry.get("name") == stanza]
    if not stanzas:
        raise SettingsInvalid(f"repository {repo} has no stanza {stanza}", "run: recover site prepare --apply")
    status = next((r["status"] for r in stanzas[0].get("repo", []) if r["key"] == repo), stanzas[0]["status"])
    match status["code"]:
        case 0 | 2 | 6:  # ok; no backup yet; no such set
            pass
        case 1 | 3:
            raise SettingsInvalid(
                f"repository {repo} has no stanza {stanza}: {status['message']}", "run: recover site prepare --apply"
            )
        case _:
            raise SettingsInvalid(
                f"repository {repo} cannot be read: {_plain_reason(status['message'])}",
                "check the encryption key (BACKUP_ENCRYPTION_KEY), the S3 keys and the bucket; "
                "then run: recover site prepare --apply",
            )
    sets = [_set(entry, repo) for entry in stanzas[0].get("backup", []) if entry["database"]["repo-key"] == repo]
    return tuple(sorted(sets, key=lambda found: found.stopped_at))


def read_system_identifier(text: str, stanza: str) -> int:
    """Whose WAL the archive takes now, from `info --output=json`: the system identifier of the site's cluster.

    Raises: SettingsInvalid when no repository says it.
    """
    stanzas = [entry for entry in _json(text) if entry.get("name") == stanza]
    known = [one for entry in stanzas for one in entry.get("db", [])]
    if not known:
        statuses = [one["status"] for entry in stanzas for one in entry.get("repo", [])]
        reasons = dict.fromkeys(_plain_reason(one["message"]) for one in statuses)
        raise SettingsInvalid(
            f"no repository says whose WAL it holds: {'; '.join(reasons) or f'there is no stanza {stanza}'}",
            "check the encryption key (BACKUP_ENCRYPTION_KEY), the S3 keys and the buckets: recover settings check",
        )
    # An upgrade of PostgreSQL adds a cluster under the next number.
    return int(max(known, key=lambda one: one["id"])["system-id"])


def read_cluster(text: str, repo: int, stanza: str) -> ArchivedCluster | None:
    """Whose backups a repository takes now, from `info --output=json`; None when it has no such stanza, or does not say."""
    known = [one for entry in _json(text) if entry.get("name") == stanza for one in entry.get("db", [])]
    here = [one for one in known if one["repo-key"] == repo]
    if not here:
        return None
    newest = max(here, key=lambda one: one["id"])  # an upgrade of the stanza adds a cluster under the next number
    return ArchivedCluster(repo, newest["id"], str(newest["system-id"]), str(newest["version"]))


def _plain_reason(message: str) -> str:
    if "FormatError" in message or "CryptoError" in message:
        return "its files make no sense with this encryption key"
    return first_sentence(message)


def _set(entry: dict[str, Any], repo: int) -> BackupSet:
    info = entry["info"]
    repository = info["repository"]
    return BackupSet(
        label=entry["label"],
        repo=repo,
        kind=entry["type"],
        started_at=datetime.fromtimestamp(entry["timestamp"]["start"], UTC),
        stopped_at=datetime.fromtimestamp(entry["timestamp"]["stop"], UTC),
        start_lsn=parse_lsn(entry["lsn"]["start"]),
        stop_lsn=parse_lsn(entry["lsn"]["stop"]),
        wal_start=entry["archive"]["start"],
        wal_stop=entry["archive"]["stop"],
        database_bytes=info["size"],
        copied_bytes=info["delta"],
        repo_bytes=repository.get("delta", 0),
        damaged=bool(entry.get("error")),
        prior=entry.get("prior"),
        references=tuple(entry.get("reference") or ()),
        annotations=dict(entry.get("annotation") or {}),
        cluster=entry["database"]["id"],
    )


@dataclass(frozen=True)
class ArchiveListing:
    """What a repository's archive holds, from one listing."""

    segments: tuple[ArchivedSegment, ...]
    history_files: dict[int, tuple[str, datetime]]


def read_archive(text: str, segment_bytes: int, cluster: int = 1) -> ArchiveListing:
    """The WAL segments and history files of a cluster in one repository, from `repo-ls --recurse --output=json`."""
    segments, histories = [], {}
    for path, entry in _json(text).items():
        # 15-1/0000000100000000/…: the version, and the how manieth cluster of the stanza.
        if entry.get("type") != "file" or path.partition("/")[0].rpartition("-")[2] != str(cluster):
            continue
        arrived = datetime.fromtimestamp(entry.get("time", 0), UTC)
        if found := _SEGMENT_FILE.search(f"/{path}"):
            segments.append(ArchivedSegment(Segment.parse(found[1], segment_bytes), arrived, entry.get("size", 0)))
        elif found := _HISTORY_FILE.search(f"/{path}"):
            histories[int(found[1], 16)] = (path, arrived)
    return ArchiveListing(tuple(sorted(segments, key=lambda one: one.segment)), histories)


def _json(text: str) -> Any:
    try:
        return json.loads(text, strict=False)  # a wrong key puts raw bytes into its messages
    except json.JSONDecodeError as error:
        raise VerificationFailed(
            f"pgBackRest's answer is not JSON: {text[:200]!r}", "run the same pgbackrest command by hand"
        ) from error


def damage_found(text: str) -> list[str]:
    """What `verify --output=text --verbose` says of damage, a line each.

    It ends with status 0 even when everything is broken, so silence is not proof: a listing without
    a status is damage too.
    """
    status = re.search(r"^\s*status: (\w+)", text, re.MULTILINE)
    if not status:
        return [f"verify said nothing that can be trusted: {first_sentence(text) or 'no output'}"]
    blocks = re.split(r"^\s*(?=backup: |archiveId: )", text, flags=re.MULTILINE)
    found = [line for block in blocks for line in _damage_in(block)]
    if status[1] != "ok":
        found += _messages(text)
        return found or [f"verify ended with status {status[1]}"]
    return found


def _damage_in(block: str) -> Iterator[str]:
    head = block.strip().split(",")[0].strip()
    bad = [f"{count} {what}" for what, count in re.findall(_COUNTS, block) if int(count)]
    state = re.search(r"status: (\w[\w ]*)", block) if head.startswith("backup") else None
    if bad or (state and state[1] not in ("valid", "ok")):
        yield f"{head}: {', '.join(bad) or (state and state[1])}"


_COUNTS = r"(missing|checksum invalid|size invalid|other): (\d+)"


def _messages(text: str) -> list[str]:
    """What stands between the counts: errors, and sentences such as "No usable backup.info file"."""
    lines = (re.sub(r"^.*(?:ERROR|WARN): ", "", line).strip() for line in text.splitlines())
    return [line for line in lines if line and not re.match(r"stanza: |status: |archiveId: |backup: |missing: ", line)]


def read_history(timeline: int, text: str, archived_at: datetime) -> History:
    """A timeline's history file.

    Raises: VerificationFailed when it is damaged.
    """
    try:
        return History.parse(timeline, text, archived_at)
    except ValueError as error:
        raise VerificationFailed(
            f"the history file of timeline {timeline} is damaged: {error}",
            "restore from the other region (--source-region), and run: recover backup check",
        ) from error


def explain(error: CommandFailed, output: str) -> CommandFailed:
    """The failure of a pgBackRest command, from all that it wrote, with what to do about its likely cause."""
    said = first_error(output) or error.problem
    next_step = next((advice for pattern, advice in _LIKELY if re.search(pattern, said)), None)
    if next_step == _CHECK_KEY:  # the rest of the text is what a wrong key made of the file
        said = f"{said.split('FormatError')[0].rstrip(' :')}: it cannot be read with this encryption key"
    advice = next_step or _BY_STATUS.get(error.status, error.next_step)
    return CommandFailed(f"pgbackrest: {said}", advice, error.argv, error.status, "")


_CHECK_KEY = "check the encryption key (BACKUP_ENCRYPTION_KEY), then run: recover site prepare --apply"
_LIKELY = (
    (r"No space left", "free disk space where it writes (df -h), then run this again"),
    # What keeps a file from being read comes before what a wrong key makes of it.
    (
        r"TLS|unable to find hostname|HostConnect|connect to|timeout",
        "check that the S3 endpoint answers; --source-region restores from the other region",
    ),
    (r"AccessDenied|SignatureDoesNotMatch|InvalidAccessKeyId|403 \(", "correct the S3 keys in recovery.toml"),
    (r"NoSuchBucket|404 \(", "correct the bucket's name (BACKUP_S3_BUCKET) or create it"),
    (r"unable to load info file.*FileMissing", "the repository has no stanza: run recover site prepare --apply"),
    (r"cipher|unable to flush|padding|unable to load info file", _CHECK_KEY),
    (
        r"not later than latest backup label",
        "labels are in UTC; the newest was made with another clock or zone: backups go on as soon as UTC has passed it",
    ),
    (
        r"Data corruption|checksum",
        "this set is damaged in this repository: use the other region (--source-region), and run: recover backup check",
    ),
)
_BY_STATUS = {
    37: "the configuration is incomplete: run recover site prepare --apply",
    50: "another pgBackRest command holds the lock: wait for it to end, then run this again",
    56: "no running primary was found: bring the database up, then run this again",
    62: "archiving was stopped by hand: run pgbackrest start, then this again",
    82: "WAL does not reach the repository: run recover backup check",
}


def first_error(text: str) -> str:
    """The first error that pgBackRest wrote, in one line and without raw bytes."""
    found = re.search(r"ERROR: (\[\d+\]: .*(?:\n(?!\S*\d{4}-|P\d\d).*)*)", text)
    readable = "".join(c for c in found[1] if c.isprintable() or c.isspace()) if found else ""
    return " ".join(readable.replace("\ufffd", "").split())[:400]


def first_sentence(text: str) -> str:
    """The first line with something in it, at most 200 characters."""
    return next((line.strip()[:200] for line in text.splitlines() if line.strip()), "")
