"""What became of every WAL segment, per timeline, in four states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recovery.facts import RepoFacts, ServerFacts, WalRange, WalState
from recovery.wal import Segment


def wal_ranges(repo: RepoFacts, server: ServerFacts | None) -> tuple[WalRange, ...]:
    """The segments that a repository should hold, in runs of one state.

    A repository should hold everything from the first segment of its oldest set on; without a set
    nothing is owed. Older WAL that retention left behind may have holes. Works without the server:
    then the end of the archive is taken as the end of the WAL.
    """
    oldest = min((one.wal_start for one in repo.sets), key=lambda name: name[8:], default=None)
    if oldest is None:
        return ()
    first = Segment.parse(oldest, repo.segment_bytes)
    held = {one.segment for one in repo.segments if one.segment.number >= first.number}
    ranges: list[WalRange] = []
    for timeline in sorted({segment.timeline for segment in held} | _known_timelines(repo, server)):
        wanted = [Segment(timeline, n) for n in _wanted(timeline, first, held, repo, server)]
        newest = max((one.number for one in held if one.timeline == timeline), default=-1)
        states = ((one, WalState.FOUND if one in held else _missing(one, newest, repo, server)) for one in wanted)
        ranges += _runs(states, repo)
    return tuple(ranges)


def lost_ranges(ranges: Iterable[WalRange]) -> list[WalRange]:
    """The runs that nothing can bring back."""
    return [one for one in ranges if one.state is WalState.LOST]


def _known_timelines(repo: RepoFacts, server: ServerFacts | None) -> set[int]:
    """The timelines that are known even when not one segment of theirs is left."""
    live = set() if server is None else {server.timeline}
    return live.union(*(history.timelines for history in repo.histories))


def _wanted(timeline: int, first: Segment, held: set[Segment], repo: RepoFacts, server: ServerFacts | None) -> range:
    """The numbers of the segments that this timeline should have."""
    numbers = [segment.number for segment in held if segment.timeline == timeline]
    end = max(numbers, default=first.number - 1)
    begin = _begin(timeline, first, numbers, repo)
    child = [h.end_of(timeline) for h in repo.histories if timeline in h.timelines[:-1]]
    if child:  # a timeline that was left: it owes what lies before the switch, no more
        end = max(end, min(lsn for lsn in child if lsn is not None) // repo.segment_bytes - 1)
    elif server is not None and server.timeline == timeline:
        end = max(end, server.current_lsn // repo.segment_bytes - 1)
    return range(end + 1 if begin is None else begin, end + 1)


def _begin(timeline: int, first: Segment, numbers: list[int], repo: RepoFacts) -> int | None:
    """The first segment that this timeline owes; None when nothing tells."""
    parent = next((h.switches[-1] for h in repo.histories if h.timeline == timeline and h.switches), None)
    if parent:
        return max(first.number, parent.lsn // repo.segment_bytes)
    return first.number if timeline == first.timeline else min(numbers, default=None)


def _missing(segment: Segment, newest: int, repo: RepoFacts, server: ServerFacts | None) -> WalState:
    """Why a segment is not there, as far as the server tells. `newest`: the last one there on its timeline."""
    name = segment.name(repo.segment_bytes)
    if server is not None and name in server.segments_waiting:
        return WalState.UPLOADING
    if segment.number > newest and server is not None and name in server.segments_in_pg_wal:
        return WalState.DELAYED
    return WalState.LOST


def _runs(states: Iterable[tuple[Segment, WalState]], repo: RepoFacts) -> Iterator[WalRange]:
    group: list[tuple[Segment, WalState]] = []
    for one in states:
        if group and group[-1][1] is not one[1]:
            yield _range(group, repo)
            group = []
        group.append(one)
    if group:
        yield _range(group, repo)


def _range(group: list[tuple[Segment, WalState]], repo: RepoFacts) -> WalRange:
    first, last = group[0][0], group[-1][0]
    return WalRange(
        first.timeline, first.name(repo.segment_bytes), last.name(repo.segment_bytes), len(group), group[0][1]
    )
