"""Which backup set, timeline and WAL reach a recovery target, or why nothing does.

pgBackRest chooses by itself, but after a failover or an earlier recovery it may choose a set of a
branch that was left, and PostgreSQL then stops at the fork with a log that looks like success. So
the way is computed here from the timeline histories, and the moment reached is compared afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from recovery.facts import (
    BackupSet,
    RecoveryTarget,
    Refusal,
    RepoFacts,
    RestorePlan,
    ServerFacts,
    TargetKind,
)
from recovery.wal import History, Segment, Switch, format_lsn

# `info` cuts the stop time to the second: the set is surely consistent only a second later.
_STOP_MARGIN = timedelta(seconds=1)
# A segment arrives this much after its last commit: one heartbeat and the way to the repository.
ARRIVAL_MARGIN = timedelta(seconds=10)
# A set in the far region is worth its distance when it saves this much replay.
_FARTHER_REPO_GAIN = timedelta(hours=1)
_RESTORE_BYTES_PER_SECOND = 60e6
_REPLAY_SECONDS_PER_SEGMENT = 0.2
_START_SECONDS = 5.0
_MOST_WAL_BYTES = 2 * 1024**3
_SPARE_BYTES = 64 * 1024**2
_RESTORE_POINT_BYTES = 256  # its record, a page's header in between, and alignment


@dataclass(frozen=True)
class Archive:
    """The readable repositories as one: their sets, and the WAL along one way of timelines."""

    repos: tuple[RepoFacts, ...]
    way: History
    segment_bytes: int

    @property
    def sets(self) -> tuple[BackupSet, ...]:
        """The sets on this way, oldest first."""
        found = [s for repo in self.repos for s in repo.sets if self.way.holds(s.timeline, s.stop_lsn)]
        return tuple(sorted(found, key=lambda one: one.stopped_at))

    @cached_property
    def arrivals(self) -> dict[int, datetime]:
        """When each segment number on this way reached a repository first."""
        arrived: dict[int, datetime] = {}
        for one in (one for repo in self.repos for one in repo.segments):
            number = one.segment.number
            if one.segment.timeline == self.way.timeline_read_at(number, self.segment_bytes):
                arrived[number] = min(one.archived_at, arrived.get(number, one.archived_at))
        return arrived

    @cached_property
    def unbroken_until(self) -> dict[int, int]:
        """For each segment number that is there: the last one before the next gap."""
        ends: dict[int, int] = {}
        for number in sorted(self.arrivals, reverse=True):
            ends[number] = ends.get(number + 1, number)
        return ends

    def name(self, number: int) -> str:
        return Segment(self.way.timeline_read_at(number, self.segment_bytes), number).name(self.segment_bytes)

    def number(self, name: str) -> int:
        return Segment.parse(name, self.segment_bytes).number


def readable_archive(repos: Iterable[RepoFacts], server: ServerFacts | None, timeline: int | None) -> Archive | Refusal:
    """The archive along the wanted timeline: the live server's, unless another is named."""
    readable = tuple(repo for repo in repos if repo.problem is None)
    if not readable:
        reasons = "; ".join(f"repository {repo.repo} ({repo.bucket}): {repo.problem}" for repo in repos)
        return Refusal(
            f"no repository can be read: {reasons}", "check network, keys and buckets: recover settings check"
        )
    histories = {history.timeline: history for repo in readable for history in repo.histories}
    known = {1, *histories, *(one.segment.timeline for repo in readable for one in repo.segments)}
    wanted = timeline or (server.timeline if server and server.timeline in known else max(known))
    if wanted not in known:
        return Refusal(
            f"timeline {wanted} is not in the archive", f"name one of: {', '.join(str(one) for one in sorted(known))}"
        )
    # A site whose failovers came before its first backup has no history file: nothing older is on its way.
    return Archive(readable, histories.get(wanted, History(wanted, ())), readable[0].segment_bytes)


def choose_restore(
    archive: Archive, target: RecoveryTarget, backup_id: str | None, now: datetime
) -> RestorePlan | Refusal:
    """The set to restore and the WAL to replay for a target, or why it cannot be reached."""
    refusal = _moment_refusal(archive, target, now)
    if refusal:
        return refusal
    candidates = _candidates(archive, target, backup_id)
    if isinstance(candidates, Refusal):
        return candidates
    rejected: list[tuple[BackupSet, Refusal]] = []
    for backup in candidates:
        plan = _plan(archive, backup, target)
        if isinstance(plan, RestorePlan):
            passed_over = (f"{one.label} in repository {one.repo}: {why.problem}" for one, why in rejected)
            return replace(plan, rejected=tuple(passed_over))
        rejected.append((backup, plan))
    # What the set that comes nearest lacks is what the operator must hear.
    return max(rejected, key=lambda one: _reach(archive, one[0]))[1]


def _candidates(archive: Archive, target: RecoveryTarget, backup_id: str | None) -> list[BackupSet] | Refusal:
    """The sets that can serve, best first; or why there is none."""
    if backup_id is not None:
        return _named_set(archive, target, backup_id)
    sound = [one for one in archive.sets if not one.damaged]
    serving = [one for one in sound if _ends_before(one, target)]
    if serving:
        return sorted(serving, key=_preference(serving))
    if not sound:
        return Refusal("there is no sound backup set on this timeline", "take one: recover backup run --type full")
    first = sound[0]
    return Refusal(
        f"{target} is before the first backup, which ended at {_shown(first.stopped_at)}",
        f"the earliest reachable moment is {_shown(first.stopped_at + _STOP_MARGIN)}: --target-time='{_iso(first.stopped_at + _STOP_MARGIN)}'",
    )


def _named_set(archive: Archive, target: RecoveryTarget, backup_id: str) -> list[BackupSet] | Refusal:
    everywhere = [one for repo in archive.repos for one in repo.sets]
    named = [one for one in everywhere if one.label == backup_id]
    if not named:
        newest = max((one.stopped_at, one.label) for one in everywhere)[1] if everywhere else "none"
        return Refusal(f"there is no backup {backup_id}", f"recover backup list shows them; the newest is {newest}")
    sound = [one for one in named if not one.damaged]
    if not sound:
        return Refusal(
            f"backup {backup_id} holds pages that were damaged when it was taken",
            "choose an older one: recover backup list",
        )
    on_way = [one for one in sound if archive.way.holds(one.timeline, one.stop_lsn)]
    if not on_way:
        return Refusal(
            f"backup {backup_id} was taken on timeline {sound[0].timeline}, which the site has left",
            f"to restore that branch, add --target-timeline={sound[0].timeline}",
        )
    if not _ends_before(on_way[0], target):
        return Refusal(
            f"backup {backup_id} ended at {_shown(on_way[0].stopped_at)}, after {target}",
            "leave out --backup-id: the right set is chosen for you",
        )
    return on_way


def _ends_before(backup: BackupSet, target: RecoveryTarget) -> bool:
    """Whether the set is consistent before the target: only then can replay stop there."""
    match target.kind:
        case TargetKind.TIME:
            return target.moment is not None and backup.stopped_at + _STOP_MARGIN <= target.moment
        case TargetKind.LSN | TargetKind.NAME:
            return target.lsn is None or backup.stop_lsn <= target.lsn
        case _:
            return True


def _preference(sets: list[BackupSet]) -> Callable[[BackupSet], tuple[bool, int, float]]:
    """Newest first; a set of the nearer repository wins unless it is much older."""
    newest = max(one.stopped_at for one in sets)
    near = [one for one in sets if newest - one.stopped_at < _FARTHER_REPO_GAIN]
    return lambda one: (one not in near, one.repo if one in near else 0, -one.stopped_at.timestamp())


def _moment_refusal(archive: Archive, target: RecoveryTarget, now: datetime) -> Refusal | None:
    moment = target.moment
    if target.kind is not TargetKind.TIME or moment is None:
        return None
    if moment > now:
        return Refusal(
            f"{target} is in the future", "name a moment that has passed, or leave out --target-time for the newest"
        )
    for switch, begun_at in _switches(archive):
        left_for = switch.recovered_to
        if left_for and begun_at and left_for <= moment < begun_at:
            return Refusal(
                f"{target} lies on timeline {switch.timeline}, which the site left when it was recovered to {_shown(left_for)}",
                f"to restore what was there before that recovery, add --target-timeline={switch.timeline}",
            )
        kept_until = None if left_for else _surely_kept_until(archive, switch)
        if kept_until and begun_at and kept_until < moment < begun_at:
            return Refusal(
                f"{target} may lie on the part of timeline {switch.timeline} that the site left at {format_lsn(switch.lsn)}",
                f"to restore what was there then, add --target-timeline={switch.timeline}; "
                f"the last position that the site kept is --target-lsn={format_lsn(switch.lsn)}",
            )
    return None


def _switches(archive: Archive) -> Iterator[tuple[Switch, datetime | None]]:
    """Each switch on the way, with the moment its new timeline began."""
    known = [one for repo in archive.repos for one in repo.histories]
    for switch, child in zip(archive.way.switches, archive.way.timelines[1:], strict=True):
        yield switch, min((one.archived_at for one in known if one.timeline == child and one.archived_at), default=None)


def _surely_kept_until(archive: Archive, switch: Switch) -> datetime | None:
    """When the last segment before a switch arrived, if its timeline went on past the switch; else None.

    A failover that lost commits, or a recovery to a position, leaves such WAL and no moment in the history.
    """
    segments = [one for repo in archive.repos for one in repo.segments if one.segment.timeline == switch.timeline]
    at_switch = switch.lsn // archive.segment_bytes
    past = [one.archived_at for one in segments if one.segment.number >= at_switch]
    kept = [one.archived_at for one in segments if one.segment.number == at_switch - 1]
    return min(kept or past) if past else None


def _plan(archive: Archive, backup: BackupSet, target: RecoveryTarget) -> RestorePlan | Refusal:
    first, stop = archive.number(backup.wal_start), archive.number(backup.wal_stop)
    last = _last_replayable(archive, backup)
    if last < stop:
        return Refusal(
            f"WAL segment {archive.name(last + 1)} is missing, without which backup {backup.label} is not consistent",
            "choose another set (recover backup list); run recover backup check to name all gaps",
        )
    wanted = _last_number(archive, target, stop, last)
    if wanted is None or wanted > last:
        return _beyond(archive, backup, target, last)
    count = wanted - first + 1
    return RestorePlan(
        backup=backup,
        target=target,
        timeline=archive.way.timeline,
        first_segment=archive.name(first),
        last_segment=archive.name(wanted),
        end_lsn=(wanted + 1) * archive.segment_bytes,
        segments=count,
        needed_bytes=backup.database_bytes + min(count * archive.segment_bytes, _MOST_WAL_BYTES) + _SPARE_BYTES,
        expected_seconds=round(
            _START_SECONDS + backup.database_bytes / _RESTORE_BYTES_PER_SECOND + count * _REPLAY_SECONDS_PER_SEGMENT,
            1,
        ),
        archive_ends_at=archive.arrivals[last],
    )


def _last_replayable(archive: Archive, backup: BackupSet) -> int:
    """The last segment before a gap or the end of the archive, from the start of a set on."""
    first = archive.number(backup.wal_start)
    return archive.unbroken_until.get(first, first - 1)


def _reach(archive: Archive, backup: BackupSet) -> tuple[bool, int]:
    """How far a set goes; one that is not even consistent goes nowhere."""
    last = _last_replayable(archive, backup)
    return last >= archive.number(backup.wal_stop), last


def _last_number(archive: Archive, target: RecoveryTarget, stop: int, last: int) -> int | None:
    """The last segment that replay may need; None when the archive does not reach that far.

    `stop`: what the set itself needs, whatever the repository's clock says; `last`: the one before a gap.
    """
    match target.kind:
        case TargetKind.LATEST:
            return max(archive.arrivals)
        case TargetKind.BACKUP:
            return stop
        case TargetKind.TIME:
            # A segment's commits are older than its arrival: the first that came at or after the moment.
            # A repository tells whole seconds only; when it came just before, replay itself says so.
            moment = target.moment.replace(microsecond=0) if target.moment else None
            arrived = ((number, archive.arrivals[number]) for number in range(stop, last + 1))
            return next((number for number, at in arrived if moment and at >= moment), None)
        case _:
            return (target.lsn or 0) // archive.segment_bytes


def _beyond(archive: Archive, backup: BackupSet, target: RecoveryTarget, last: int) -> Refusal:
    ends_at = archive.arrivals[last]
    # Replay to a moment needs a later commit to stop at: the arrival itself is too late.
    latest = ends_at - ARRIVAL_MARGIN
    if _ends_before(backup, RecoveryTarget(TargetKind.TIME, moment=latest)):
        nearest = f"the latest reachable moment before it is about {_shown(latest)}: --target-time='{_iso(latest)}'"
    else:
        nearest = f"before it only the end of that backup is sure: --backup-id={backup.label}"
    if max(archive.arrivals) > last:
        return Refusal(f"WAL segment {archive.name(last + 1)} is missing, and {target} lies behind it", nearest)
    return Refusal(
        f"{target} is after the last archived WAL ({archive.name(last)}, archived {_shown(ends_at)})",
        f"{nearest}; all that is archived: leave out the target; with the primary running, newer WAL arrives within its archive_timeout",
    )


def reached_refusal(plan: RestorePlan, reached_commit_at: datetime | None, reached_lsn: int) -> str | None:
    """Why the point that a copy reached is not the one that was asked for, or None."""
    target = plan.target
    if target.kind is TargetKind.TIME and target.moment and reached_commit_at and reached_commit_at > target.moment:
        return f"the copy holds a commit of {_shown(reached_commit_at)}, after {target}"
    if target.kind is TargetKind.LSN and target.lsn and reached_lsn < target.lsn and not target.exclusive:
        return f"the copy stopped at {format_lsn(reached_lsn)}, before {target}"
    if target.kind is TargetKind.NAME and target.lsn and not 0 < reached_lsn - target.lsn <= _RESTORE_POINT_BYTES:
        return f"the copy stopped at {format_lsn(reached_lsn)}, and {target} is at {format_lsn(target.lsn)}"
    if reached_lsn < plan.backup.stop_lsn:
        return f"the copy stopped at {format_lsn(reached_lsn)}, before its backup was consistent"
    return None


def space_refusal(plan: RestorePlan, free_bytes: int, factor: float) -> str | None:
    """Why there is too little disk for this restore, or None."""
    needed = int(plan.needed_bytes * factor)
    if free_bytes >= needed:
        return None
    return f"the restore needs {needed / 1e9:.1f} GB, and only {free_bytes / 1e9:.1f} GB are free"


def loading_space_refusal(plan: RestorePlan, free_bytes: int, factor: float, *, shared: bool) -> str | None:
    """Why there is too little disk on the site's server for the database that is loaded there, or None.

    `shared`: the copy is restored on that disk, too.
    """
    size = plan.backup.database_bytes + (plan.needed_bytes if shared else 0)
    needed, free = int(size * factor), f"only {free_bytes / 1e9:.1f} GB are free"
    if free_bytes >= needed:
        return None
    if shared:
        return f"the copy and the database loaded from it need {needed / 1e9:.1f} GB on one disk, and {free}"
    return f"the loaded database needs {needed / 1e9:.1f} GB on the disk of the site's server, and {free}"


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
