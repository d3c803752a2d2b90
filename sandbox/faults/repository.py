"""Faults of the backups themselves: a segment is gone, a file is damaged, the key is wrong."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from recovery.adapters.postgres.connection import connect
from recovery.errors import GateRefused
from recovery.settings import Settings, load_settings
from recovery.waiting import wait_until
from sandbox.aws import s3
from sandbox.faults.report import Broken, Options
from sandbox.layout import BUCKETS, PATIENCE_SECONDS, Sandbox

_SIDES = {1: "east", 2: "west"}
_SEGMENT = re.compile(r"/([0-9A-F]{24})-[0-9a-f]{40}(\.\w+)?$")
_ENOUGH_SEGMENTS = 3
_FLIPPED_BYTES = 64


@dataclass(frozen=True)
class _Object:
    key: str
    size: int
    changed_at: datetime

    @property
    def segment(self) -> str | None:
        match = _SEGMENT.search(self.key)
        return match[1] if match else None


def lose_wal_segment(sandbox: Sandbox, options: Options) -> Broken:
    """Delete a WAL segment that later ones stand on, from every repository (or one, with --repo)."""
    segment = options.segment or _segment_in_the_middle(sandbox)
    kept: list[dict[str, str]] = []
    for side in _sides(options.repo):
        client = s3(sandbox, side)
        for found in _objects(sandbox, side, "archive"):
            if found.segment == segment:
                kept.append({"side": side, "key": found.key, "file": _keep(sandbox, client, side, found.key)})
                client.delete_object(Bucket=BUCKETS[side], Key=found.key)
    if not kept:
        raise GateRefused(f"WAL segment {segment} is in no repository", "see recover backup list")
    where = " and ".join(BUCKETS[one["side"]] for one in kept)
    return Broken(f"deleted WAL segment {segment} from {where}", details={"segment": segment}, kept={"objects": kept})


def put_segment_back(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Upload the lost segment again."""
    for one in kept["objects"]:
        file = Path(one["file"])
        s3(sandbox, one["side"]).put_object(Bucket=BUCKETS[one["side"]], Key=one["key"], Body=file.read_bytes())
        file.unlink()
    return "the segment is back"


def corrupt_repo_file(sandbox: Sandbox, options: Options) -> Broken:
    """Flip bytes in the largest file of the newest backup set of a repository (default: 1)."""
    repo = options.repo or 1
    side = _SIDES[repo]
    sets = [found for found in _objects(sandbox, side, "backup") if found.key.endswith("/backup.manifest")]
    if not sets:
        raise GateRefused(f"repo{repo} holds no backup set", "take one: recover backup run")
    folder = max(sets, key=lambda found: found.changed_at).key.removesuffix("backup.manifest")
    label = folder.rstrip("/").rpartition("/")[2]
    files = _objects(sandbox, side, f"backup/{_settings(sandbox).backup.stanza}/{label}")
    damaged = max((f for f in files if "backup.manifest" not in f.key), key=lambda f: f.size)
    _flip(sandbox, side, damaged.key)
    said = f"flipped {_FLIPPED_BYTES} bytes in {damaged.key} (set {label}, repo{repo})"
    details: dict[str, str | int] = {"label": label, "repo": repo, "key": damaged.key}
    return Broken(said, details=details, kept={"side": side, "key": damaged.key})


def flip_back(sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Flip the same bytes again."""
    _flip(sandbox, kept["side"], kept["key"])
    return f"{kept['key']} is sound again"


def use_wrong_cipher_key(sandbox: Sandbox, options: Options) -> Broken:
    """Put another repository key into pgBackRest's generated secrets file."""
    number = str(options.repo) if options.repo else r"\d"
    line = re.compile(rf"^(repo{number}-cipher-pass=).*$", re.MULTILINE)
    kept: dict[str, str] = {}
    for file in sorted((sandbox.state_dir / "pgbackrest").rglob("*.conf")):
        text = file.read_text()
        if line.search(text):
            kept[str(file)] = text
            file.write_text(line.sub(rf"\g<1>{secrets.token_hex(24)}", text))
    if not kept:
        raise GateRefused("there is no generated pgBackRest secrets file", "run: recover site prepare --apply")
    return Broken(f"put another repository key into {', '.join(kept)}", kept={"files": kept})


def use_right_cipher_key(_sandbox: Sandbox, kept: dict[str, Any]) -> str:
    """Put the right key back."""
    for file, text in kept["files"].items():
        Path(file).write_text(text)
    return "the right key is back"


def _segment_in_the_middle(sandbox: Sandbox) -> str:
    """A segment newer than every backup set that has others on both sides; such are made if need be."""

    def segments() -> list[str]:
        with connect(sandbox.admin_address()) as connection:
            connection.execute("SELECT pg_create_restore_point('sandbox'), pg_switch_wal()")
        return _segments_after_backups(sandbox)

    found = wait_until(segments, PATIENCE_SECONDS, so=lambda seen: len(seen) >= _ENOUGH_SEGMENTS, pause=1)
    if len(found) < _ENOUGH_SEGMENTS:
        raise GateRefused(
            f"only {len(found)} WAL segments were archived after the newest backup", "is archiving working?"
        )
    return found[len(found) // 2]


def _segments_after_backups(sandbox: Sandbox) -> list[str]:
    archived: set[str] = set()
    for side in _SIDES.values():
        sets = [f.changed_at for f in _objects(sandbox, side, "backup") if f.key.endswith("/backup.manifest")]
        newest = max(sets, default=None)
        segments = _objects(sandbox, side, "archive")
        archived |= {f.segment for f in segments if f.segment and (newest is None or f.changed_at > newest)}
    return sorted(archived)


def _objects(sandbox: Sandbox, side: str, below: str) -> list[_Object]:
    repo = next(r for r in _settings(sandbox).backup.repos if r.bucket == BUCKETS[side])
    pages = s3(sandbox, side).get_paginator("list_objects_v2")
    prefix = f"{repo.path.strip('/')}/{below}/"
    return [
        _Object(item["Key"], item["Size"], item["LastModified"])
        for page in pages.paginate(Bucket=BUCKETS[side], Prefix=prefix)
        for item in page.get("Contents", [])
    ]


def _flip(sandbox: Sandbox, side: str, key: str) -> None:
    client = s3(sandbox, side)
    content = bytearray(client.get_object(Bucket=BUCKETS[side], Key=key)["Body"].read())
    begin = max(0, len(content) // 2 - _FLIPPED_BYTES // 2)
    for at in range(begin, min(len(content), begin + _FLIPPED_BYTES)):
        content[at] ^= 0xFF
    client.put_object(Bucket=BUCKETS[side], Key=key, Body=bytes(content))


def _keep(sandbox: Sandbox, client: Any, side: str, key: str) -> str:
    file = sandbox.faults_dir / f"{side}-{key.rpartition('/')[2]}"
    file.write_bytes(client.get_object(Bucket=BUCKETS[side], Key=key)["Body"].read())
    return str(file)


def _sides(repo: int | None) -> list[str]:
    return [_SIDES[repo]] if repo else list(_SIDES.values())


def _settings(sandbox: Sandbox) -> Settings:
    return load_settings(sandbox.settings_file, {})
