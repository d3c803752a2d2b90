"""Restored copies: folders of their own, filled by pgBackRest, owned by a run, dropped or kept."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets as random_source
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from recovery.adapters import files
from recovery.adapters.pgbackrest import configuration
from recovery.adapters.pgbackrest.archive import ArchivedWal
from recovery.adapters.pgbackrest.restore_target import target_refusal
from recovery.adapters.pgbackrest.store import pgbackrest, run_pgbackrest
from recovery.adapters.postgres.recovered import CopyPlaces, RecoveredServer
from recovery.adapters.process import Host
from recovery.adapters.secrets import Secrets
from recovery.errors import RecoveryError, SettingsInvalid
from recovery.facts import Progress, RestorePlan, TargetKind
from recovery.gate import require
from recovery.settings import RepoSettings, Settings
from recovery.wal import format_lsn

log = logging.getLogger(__name__)

_HIDDEN = "hidden"  # /proc shows only one's own processes here: whose is not ours is taken for alive
_NAME = re.compile(r"^copy-\d{8}t\d{6}-[0-9a-f]{6}$")
_LONGEST_SOCKET_PATH = 90
_WATCH_SECONDS = 30.0  # the last look at a large folder; the restore itself has ended


@dataclass(frozen=True)
class CopyOwner:
    """Who made a copy, and whether it is kept after its run."""

    pid: int
    started: str
    machine: str
    kept: bool
    made_at: str
    backup: str
    target: str
    verdict: str = ""  # what the data checks found against it; empty when nothing

    @property
    def is_this_process(self) -> bool:
        """Whether this process made it."""
        return (self.machine, self.pid) == (socket.gethostname(), os.getpid()) and self.alive

    @property
    def alive(self) -> bool:
        """Whether the process that made it still runs (on another machine: taken for alive)."""
        return self.machine != socket.gethostname() or process_start(self.pid) in (self.started, _HIDDEN)


def process_start(pid: int) -> str:
    """When a process began, as the kernel counts; empty when there is none. Tells a reused pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    except PermissionError:
        return _HIDDEN


class RestoredCopies:
    """Makes, finds and removes restored copies in the scratch directory."""

    def __init__(self, settings: Settings, host: Host, secrets: Secrets) -> None:
        self._settings, self._host, self._secrets = settings, host, secrets

    @property
    def folder(self) -> Path:
        return self._settings.scratch_dir

    def free_bytes(self) -> int:
        """Free bytes where copies are made."""
        return files.free_bytes(self._host, self.folder)

    def prepare(self, backup_label: str, target: str, repos: tuple[RepoSettings, ...]) -> CopyPlaces:
        """Make the folder of a new copy. Its name is generated and can be no live one."""
        now = datetime.now(UTC)
        places = CopyPlaces(self.folder / f"copy-{now:%Y%m%dt%H%M%S}-{random_source.token_hex(3)}")
        if len(str(places.socket_dir)) > _LONGEST_SOCKET_PATH:
            raise SettingsInvalid(
                f"the path {places.socket_dir} is too long for a Unix socket",
                "set restore.scratch_dir to a shorter path",
            )
        files.make_directory(self._host, self.folder, mode="0755")
        files.make_new_directory(self._host, places.folder)
        owner = CopyOwner(
            os.getpid(), process_start(os.getpid()), socket.gethostname(), False, now.isoformat(), backup_label, target
        )
        self._note_owner(places, owner)
        files.make_directory(self._host, places.data_dir)
        files.make_directory(self._host, places.tablespace_dir)
        scratch = _scratch(places)
        for directory in scratch.directories:
            files.make_directory(self._host, directory)
        backup = self._settings.backup
        text = configuration.scratch_configuration(backup, repos, scratch, places.data_dir)
        files.write_text(self._host, scratch.config_file, text)
        secret = configuration.secrets_configuration(backup, repos, self._secrets.reveal)
        files.write_text(self._host, scratch.secrets_file, secret)
        return places

    def restore_files(
        self, plan: RestorePlan, places: CopyPlaces, repo: int, on_progress: Callable[[Progress], None]
    ) -> None:
        """Restore the files of the set into the copy's folder; replay comes after.

        Raises: GateRefused when that folder is not new and empty; CommandFailed with what to do about
        the likely cause.
        """
        require(self._refusal(places), next_step="nothing was written; run the restore again: it makes a new folder")
        scratch = _scratch(places)
        argv = pgbackrest(scratch, "restore", [*restore_options(plan, self._settings.backup.stanza, repo, places)])
        with _watched(self._host, places, plan, on_progress):
            run_pgbackrest(self._host, argv, scratch, seconds=self._settings.backup.timeout_seconds)
        self.server(places).keep_to_itself()

    def archived_wal(self, places: CopyPlaces, segment_bytes: int) -> ArchivedWal:
        """The WAL archive, read in the folder of a copy that is not to be."""
        return ArchivedWal(self._settings, self._host, _scratch(places), places, segment_bytes)

    def server(self, places: CopyPlaces) -> RecoveredServer:
        """The server of a copy."""
        database = self._settings.database
        return RecoveredServer(self._host, places, database.bin_dir, database.admin_user)

    def keep(self, places: CopyPlaces, verdict: str = "") -> None:
        """Let a copy outlive its run, without the keys of the repositories; `verdict` is what speaks against it."""
        owner = self.owner(places)
        if owner:
            self._note_owner(places, replace(owner, kept=True, verdict=verdict))
        files.remove_tree(self._host, _scratch(places).folder, inside=places.folder)

    def remove(self, places: CopyPlaces) -> None:
        """Stop a copy's server and remove all of it. Idempotent."""
        # A link in its place leads to a server that is none of ours.
        linked = files.is_link(self._host, places.folder) or files.is_link(self._host, places.data_dir)
        if not linked and files.exists(self._host, places.data_dir / "postmaster.pid"):
            self.server(places).stop()
        files.remove_tree(self._host, places.folder, inside=self.folder)

    def names(self) -> list[str]:
        """The copies that are there, oldest first."""
        return sorted(name for name in files.list_directory(self._host, self.folder) if _NAME.match(name))

    def find(self, name: str) -> CopyPlaces:
        """A copy by its name.

        Raises: SettingsInvalid when there is none.
        """
        if name not in self.names():
            raise SettingsInvalid(f"there is no restored copy {name!r}", "recover backup copies lists them")
        return CopyPlaces(self.folder / name)

    def owner(self, places: CopyPlaces) -> CopyOwner | None:
        """Who made a copy; None when there is no note: its maker was killed before it wrote one."""
        text = files.read_text(self._host, places.folder / "owner.json")
        if not text:
            return None
        try:
            return CopyOwner(**json.loads(text))
        except (ValueError, TypeError):
            # Written by another version of this program: it is somebody's, and not ours to sweep away.
            return CopyOwner(0, "", "unknown", True, "unknown", "unknown", "unknown")

    def sweep(self, *, ours_too: bool = False) -> list[str]:
        """Remove what killed runs left behind: copies that nobody kept and whose maker is gone, or (at its end) is us."""
        swept = []
        for name in self.names():
            places = CopyPlaces(self.folder / name)
            owner = self.owner(places)
            if owner is None or (not owner.kept and (not owner.alive or (ours_too and owner.is_this_process))):
                try:
                    self.remove(places)
                except RecoveryError as error:  # the next restore tries again; this one has its own folder
                    log.warning("%s could not be removed: %s", places.folder, error.problem)
                    continue
                swept.append(name)
        return swept

    def _refusal(self, places: CopyPlaces) -> str | None:
        owner = self.owner(places)
        if owner is None or owner.kept or not owner.is_this_process or not _NAME.match(places.folder.name):
            return f"{places.folder} was not made for this restore"
        servers = (self._settings.database, self._settings.standby)
        live = [server.data_dir for server in servers if server and server.data_dir]
        return target_refusal(self._host, places, self.folder, live)

    def _note_owner(self, places: CopyPlaces, owner: CopyOwner) -> None:
        files.write_text(self._host, places.folder / "owner.json", json.dumps(owner.__dict__))


def restore_options(plan: RestorePlan, stanza: str, repo: int, places: CopyPlaces) -> list[str]:
    """The options of pgBackRest's restore for a plan.

    A copy never archives, its tablespaces lie in its own folder, and it stops where it was told to.
    """
    target = plan.target
    options = [
        f"--stanza={stanza}",
        f"--repo={repo}",
        f"--set={plan.backup.label}",
        "--archive-mode=off",
        # Where it writes is said here, where nothing can be said against it, and it writes over nothing.
        f"--pg1-path={places.data_dir}",
        "--no-delta",
        "--no-link-all",
        "--reset-link-map",
        "--reset-tablespace-map",
        f"--tablespace-map-all={places.tablespace_dir}",
        "--log-level-console=warn",
    ]
    match target.kind:
        case TargetKind.LATEST:
            # A standby waits at the end of the archive. A plain recovery would promote there, even at a gap.
            return [*options, "--type=standby", f"--target-timeline={_timeline(plan)}"]
        case TargetKind.BACKUP:
            return [*options, "--type=immediate", "--target-action=pause"]
        case TargetKind.TIME if target.moment:
            value = f"{target.moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"
        case TargetKind.LSN if target.lsn is not None:
            value = format_lsn(target.lsn)
        case _:
            value = _quoted(target.name or "")
    options += [f"--type={target.kind}", f"--target={value}", "--target-action=pause"]
    options += ["--target-exclusive"] if target.exclusive else []
    return [*options, f"--target-timeline={_timeline(plan)}"]


def _quoted(text: str) -> str:
    """A text that pgBackRest puts between quotes into postgresql.auto.conf as it is."""
    return text.replace("\\", "\\\\").replace("'", "''")


def _timeline(plan: RestorePlan) -> str:
    """The timeline to follow. The set's own needs no history file: it may be older than the archive."""
    same = plan.timeline == plan.backup.timeline == int(plan.backup.wal_start[:8], 16)
    return "current" if same and plan.timeline > 1 else str(plan.timeline)


def _scratch(places: CopyPlaces) -> configuration.Places:
    return configuration.Places(places.folder / "pgbackrest")


class _watched:
    """Measures the growing copy once a second while the block runs."""

    def __init__(
        self, host: Host, places: CopyPlaces, plan: RestorePlan, on_progress: Callable[[Progress], None]
    ) -> None:
        self._host, self._places, self._plan, self._on_progress = host, places, plan, on_progress
        self._stop = threading.Event()
        import contextvars

        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._watch,), daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_WATCH_SECONDS)

    def _watch(self) -> None:
        begin = time.monotonic()
        while not self._stop.wait(1.0):
            try:
                done = files.used_bytes(self._host, self._places.data_dir)
            except RecoveryError:
                continue  # progress is a courtesy; the restore itself tells of trouble
            rate = done / (time.monotonic() - begin)
            self._on_progress(Progress("restore", done, self._plan.backup.database_bytes, rate))
