"""barman-cloud: tars of the data directory to the same S3 as ours, and back."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.arena import Arena
from benchmarks.measure import Contestant, Restored, Stopwatch, Taken, look_into
from benchmarks.scratch import Scratch, scratch
from recovery.adapters import files
from sandbox.aws import KEY_ID, s3
from sandbox.layout import BUCKETS, REGIONS

BARMAN = "barman-cloud"
_FOLDER, _SERVER = "barman", "clickview"


def barman_cloud(arena: Arena) -> Contestant:
    """barman-cloud as it comes: two jobs, nothing compressed."""
    one = _Barman(arena)
    found = shutil.which("barman-cloud-backup")
    missing = None if found else "barman-cloud-backup is not installed (Debian: barman-cli-cloud)"
    return Contestant(BARMAN, one.back_up, {BARMAN: one.restore}, one.forget, missing)


@dataclass(frozen=True)
class _Barman:
    arena: Arena
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def back_up(self) -> Taken:
        name = f"bench{next(self._numbers)}"
        self._write_credentials()
        argv: list[str | Path] = [
            "barman-cloud-backup",
            "--immediate-checkpoint",
            "-J2",
            "-n",
            name,
            *self.arena.to_primary,
        ]
        first = self.arena.current_segment()
        clock = Stopwatch()
        self.arena.run([*argv, *self._where()], env=self._environment)
        seconds = clock.stop()
        self._archive_since(first)
        return Taken(name, seconds, sum(int(one["Size"]) for one in self._objects()))

    def restore(self, taken: Taken) -> Restored:
        with scratch(self.arena, "barman-restored") as server:
            clock = Stopwatch()
            argv: list[str | Path] = ["barman-cloud-restore", *self._where(), taken.name, server.data_dir]
            self.arena.run(argv, env=self._environment)
            self._recover_to_its_end(server)
            server.start(self._environment)
            return Restored(clock.stop(), look_into(server.address()))

    def forget(self, taken: Taken) -> None:
        client = s3(self.arena.sandbox, "east")
        for one in self._objects():
            client.delete_object(Bucket=BUCKETS["east"], Key=one["Key"])

    def _archive_since(self, first: str) -> None:
        # A site would have this as its archive_command; the backup does not wait for it, so nor does the clock.
        wal, last = self.arena.sandbox.data_dir("primary") / "pg_wal", self.arena.current_segment()
        for segment in sorted(wal.glob("[0-9A-F]" * 24)):
            if first <= segment.name < last:
                self.arena.run(["barman-cloud-wal-archive", *self._where(), segment], env=self._environment)

    def _recover_to_its_end(self, server: Scratch) -> None:
        fetch = " ".join(["barman-cloud-wal-restore", *self._where(), "%f", "%p"])
        file = server.data_dir / "postgresql.auto.conf"
        text = f"restore_command = '{fetch}'\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\n"
        files.write_text(self.arena.host, file, files.read_text(self.arena.host, file) + text)
        files.write_text(self.arena.host, server.data_dir / "recovery.signal", "")

    def _where(self) -> list[str]:
        endpoint = f"https://127.0.0.1:{self.arena.sandbox.ports['s3-east']}"
        return ["--endpoint-url", endpoint, f"s3://{BUCKETS['east']}/{_FOLDER}", _SERVER]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **self.arena.passwords,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.arena.folder / "aws"),
            "AWS_CA_BUNDLE": str(self.arena.sandbox.ca_file),
            "AWS_DEFAULT_REGION": REGIONS["east"],
        }

    def _write_credentials(self) -> None:
        secret = self.arena.sandbox.secret("s3")
        text = f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}\n"
        files.write_text(self.arena.host, self.arena.folder / "aws", text)

    def _objects(self) -> list[dict[str, Any]]:
        listed = s3(self.arena.sandbox, "east").list_objects_v2(Bucket=BUCKETS["east"], Prefix=f"{_FOLDER}/")
        return list(listed.get("Contents", []))
