"""What became of every WAL segment, per timeline, in four states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recovery.facts import RepoFacts, ServerFacts, WalRange, WalState
from recovery.wal import Segment


def wal_ranges(repo: RepoFacts, server: ServerFacts | None) -> tuple[WalRange, ...]:
    """The segments that a repository should hold, in runs of one state.

    A repository should hold everything from the first segment of its oldest set on. Older WAL that
    retention left behind may have holes. Works without the server: then the end of the archive is
    taken as the end of the WAL.
    """
    oldest = min((one.wal_start for one in repo.sets), key=lambda name: name[8:], default=None)
    first = Segment.parse(oldest, repo.segment_bytes).number if oldest else 0
    held = {one.segment for one in repo.segments if one.segment.number >= first}
    ranges: list[WalRange] = []
    for timeline in sorted({segment.timeline for segment in held} | _live_timeline(server)):
        wanted = _wanted(timeline, first, held, repo, server)
        ranges += _runs(
            ((Segment(timeline, n), _state(Segment(timeline, n), held, repo, server)) for n in wanted), repo
        )
    return tuple(ranges)


def lost_ranges(ranges: Iterable[WalRange]) -> list[WalRange]:
    """The runs that nothing can bring back."""
    return [one for one in ranges if one.state is WalState.LOST]


def _live_timeline(server: ServerFacts | None) -> set[int]:
    return set() if server is None else {server.timeline}


def _wanted(timeline: int, first: int, held: set[Segment], repo: RepoFacts, server: ServerFacts | None) -> range:
    """The numbers of the segments that this timeline should have."""
    numbers = [segment.number for segment in held if segment.timeline == timeline]
    end = max(numbers, default=first - 1)
    parent = next((h.switches[-1] for h in repo.histories if h.timeline == timeline and h.switches), None)
    begin = max(first, parent.lsn // repo.segment_bytes) if parent else first
    child = [h.end_of(timeline) for h in repo.histories if timeline in h.timelines[:-1]]
    if child:  # a timeline that was left: it owes what lies before the switch, no more
        end = max(end, min(lsn for lsn in child if lsn is not None) // repo.segment_bytes - 1)
    elif server is not None and server.timeline == timeline:
        end = max(end, server.current_lsn // repo.segment_bytes - 1)
    return range(begin, end + 1)


def _state(segment: Segment, held: set[Segment], repo: RepoFacts, server: ServerFacts | None) -> WalState:
    if segment in held:
        return WalState.FOUND
    name = segment.name(repo.segment_bytes)
    if server is not None and name in server.segments_waiting:
        return WalState.UPLOADING
    newest = max((one.number for one in held if one.timeline == segment.timeline), default=-1)
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
