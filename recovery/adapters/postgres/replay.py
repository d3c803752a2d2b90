"""A copy replaying WAL: where it stands, whether it has arrived, and the proof."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.copy_settings import wants_larger_limits
from recovery.adapters.postgres.recovered import RecoveredServer
from recovery.errors import RecoveryError, TargetUnreachable, VerificationFailed
from recovery.facts import Progress, ReachedPoint, RecoveryTarget, RestorePlan, TargetKind
from recovery.waiting import wait_until
from recovery.wal import format_lsn, parse_lsn

_POLL_SECONDS = 0.1
_LOOK_SECONDS = 10  # one look; who gets no answer looks again
# How long the server may say that it finds no more WAL, before the last segment that should be there.
_STANDSTILL_SECONDS = 60.0
_STOPPING = re.compile(r"recovery stopping ((?:before|after|at)\b.*)")
_FATAL = re.compile(r"(?:FATAL|PANIC):  (.*)")
_RESTORED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')
_LAST_COMMIT = re.compile(r"last completed transaction was at log time (\S+ \S+)")


def follow_replay(
    server: RecoveredServer, plan: RestorePlan, seconds: float, on_progress: Callable[[Progress], None]
) -> ReachedPoint:
    """Watch the replay until the plan's target is reached, and prove that it is.

    Waits: up to the deadline. Raises: VerificationFailed when replay ended, or stands still, before it.
    """
    replay = Replay(server, plan, on_progress)
    if wait_until(replay.arrived, seconds, pause=_POLL_SECONDS):
        return replay.reached()
    raise VerificationFailed(
        f"replay did not reach {plan.target} within {seconds:.0f} s (at {replay.position}{replay.silence})",
        "raise restore.start_seconds in recovery.toml, or restore from a newer backup (--backup-id)",
    )


class Replay:
    """One look after another at a replaying server."""

    def __init__(self, server: RecoveredServer, plan: RestorePlan, on_progress: Callable[[Progress], None]) -> None:
        self._server, self._plan, self._target = server, plan, plan.target
        self._on_progress = on_progress
        self._log = ""
        self._lsn = plan.backup.start_lsn
        self._began_at = self._moved_at = time.monotonic()
        self._out_of_wal = False
        self._last_commit_at: datetime | None = None
        self._unanswered = ""

    @property
    def silence(self) -> str:
        """Why the last look gave nothing, to be said with the position; empty when it did."""
        return f" when it last answered; now: {self._unanswered}" if self._unanswered else ""

    @property
    def position(self) -> str:
        return format_lsn(self._lsn)

    def arrived(self) -> bool:
        if self._started_again():
            return False
        self._log = self._server.log_text()
        self._refuse_a_dead_server()
        paused = self._look()
        # Its words come before the pause shows: it may have paused for want of larger limits since we read.
        if paused is None or (paused and self._started_again()):
            return False
        self._tell()
        if self._target.kind is not TargetKind.LATEST:
            return paused
        return self._end_of_archive()

    def _started_again(self) -> bool:
        """Whether the copy had to be started again: its primary raised a limit after the backup."""
        if not wants_larger_limits(self._server.log_text()):
            return False
        self._server.start_again()
        self._moved_at = time.monotonic()
        return True

    def _tell(self) -> None:
        """The replay's position, its share of the WAL to replay, and its speed."""
        first = self._plan.backup.start_lsn
        done, total = self._lsn - first, self._plan.end_lsn - first
        rate = done / max(0.1, time.monotonic() - self._began_at)
        commit = f"{self._last_commit_at:%Y-%m-%d %H:%M:%S} UTC" if self._last_commit_at else "…"
        self._on_progress(Progress("replay", done, total, rate, f"at LSN {self.position}, commit {commit}"))

    def reached(self) -> ReachedPoint:
        self._log = self._server.log_text()  # the words come a moment before the pause shows
        stopping = _STOPPING.findall(self._log)
        latest = self._target.kind is TargetKind.LATEST
        if not latest and not (stopping and _stopped_at(self._target, stopping[-1])):
            raise VerificationFailed(
                f"the copy paused, but its log does not say that it stopped at {self._target}",
                f"read {self._server.places.log_file}; the copy must not be trusted",
            )
        restored = _RESTORED.findall(self._log)
        proof = f"replayed to the end of the archive ({restored[-1]})" if latest and restored else ""
        return ReachedPoint(
            self._lsn,
            int(restored[-1][:8], 16) if restored else 0,
            self._last_commit_at,
            None,
            proof or (f"recovery stopping {stopping[-1]}" if stopping else "replayed to the end of the archive"),
        )

    def _look(self) -> bool | None:
        """Whether replay is paused; None while the server does not answer yet."""
        try:
            with connect(
                self._server.address(), connect_seconds=_LOOK_SECONDS, statement_seconds=_LOOK_SECONDS
            ) as connection:
                seen = self._read(connection)
        except TargetUnreachable as error:
            self._unanswered = error.problem
            return None
        self._unanswered = ""
        return seen

    def _read(self, connection: Connection) -> bool:
        row = one_row(
            connection,
            """SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp(),
                      CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END,
                      (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup')""",
        )
        lsn = parse_lsn(row[0] or "0/0")
        # All that was found is replayed: the server says so itself. A busy machine stands still as well.
        self._out_of_wal = row[3] == "RecoveryRetrieveRetryInterval" and lsn == self._lsn
        if lsn != self._lsn:
            self._lsn, self._moved_at = lsn, time.monotonic()
        self._last_commit_at = row[1].astimezone(UTC) if row[1] else None
        if row[2] is None:
            raise VerificationFailed(
                "the copy ended its recovery by itself, before it was asked to", "do not use it; run this again"
            )
        return bool(row[2] == "paused")

    def _end_of_archive(self) -> bool:
        """Whether the last archived segment was restored and replayed to its end.

        Ref.: PostgreSQL manual, wait event RecoveryRetrieveRetryInterval: no WAL from any source.
        """
        if not self._out_of_wal:
            return False
        restored = _RESTORED.findall(self._log)
        # Timeline digits differ along a switch; the place on the way is what counts.
        if restored and restored[-1][8:] >= self._plan.last_segment[8:]:
            return True
        if time.monotonic() - self._moved_at > _STANDSTILL_SECONDS:
            raise VerificationFailed(
                f"replay stands still at {self.position}, before the last archived segment {self._plan.last_segment}",
                "a WAL segment is missing or unreadable: run recover backup check, then restore to a moment before the gap",
            )
        return False

    def _refuse_a_dead_server(self) -> None:
        fatal = [
            text for text in _FATAL.findall(self._log) if "starting up" not in text and "not yet accept" not in text
        ]
        if not fatal or "database system is shut down" not in self._log:
            return
        commits = _LAST_COMMIT.findall(self._log)
        raise _replay_error(fatal[0], commits[-1] if commits else "", self._target)


def _stopped_at(target: RecoveryTarget, words: str) -> bool:
    """Whether the server names the target itself; of a moment and a position it names what it met next to them."""
    return target.kind is not TargetKind.NAME or words.startswith(f'at restore point "{target.name}", ')


def _replay_error(fatal: str, last_commit: str, target: RecoveryTarget) -> RecoveryError:
    if "ended before configured recovery target" in fatal:
        reached = f"; the last transaction there is from {last_commit}" if last_commit else ""
        return VerificationFailed(
            f"the archive ends before {target}{reached}",
            "ask for an earlier moment, or wait until newer WAL is archived",
        )
    if "is not a child of this server's history" in fatal or "not in this server's history" in fatal:
        return VerificationFailed(
            f"the backup and {target} lie on different timelines: {fatal}",
            "name the set (--backup-id) or --target-timeline",
        )
    return VerificationFailed(
        f"the copy stopped while replaying WAL: {fatal}", "read its log in the run's journal folder"
    )
