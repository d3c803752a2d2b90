"""A timeline as a picture: SVG that stands in the page itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

from tasks.incident_report.document import Bar, Lane, Timeline, readable

_WIDTH, _LABELS, _ROW, _TOP, _RIGHT = 960, 240, 26, 26, 10
_THIN = 3.0  # a moment can still be seen
# What a tick of the axis may be, in seconds; the first that gives few enough is taken.
_TICKS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800, 2592000, 31536000)
_MOST_TICKS = 8


def draw(timeline: Timeline) -> str:
    """The SVG of a timeline, coloured by the page's style; empty when there is nothing to draw."""
    times = [at for lane in timeline.lanes for bar in lane.bars for at in (bar.begin, bar.end) if at is not None]
    if not times:
        return ""
    scale = _Scale(min(times), max(times))
    height = _TOP + _ROW * len(timeline.lanes) + 8
    parts = [*_axis(scale, height)]
    for number, lane in enumerate(timeline.lanes):
        parts += _lane(lane, _TOP + _ROW * number, scale)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Timeline of the incident">'
        + "".join(parts)
        + "</svg>"
    )


class _Scale:
    """Where a moment stands in the picture."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, max(end, begin + 1.0)

    def x(self, at: float) -> float:
        room = _WIDTH - _LABELS - _RIGHT
        return _LABELS + room * (at - self.begin) / (self.end - self.begin)


def _axis(scale: _Scale, height: int) -> Iterator[str]:
    length = scale.end - scale.begin
    tick = next((one for one in _TICKS if length / one <= _MOST_TICKS), length / 4)
    form = "%H:%M:%S" if length < 86400 else "%m-%d %H:%M" if length < 8 * 86400 else "%Y-%m-%d"
    yield f'<text class="axis" x="0" y="14">{datetime.fromtimestamp(scale.begin, UTC):%Y-%m-%d} UTC</text>'
    at = (scale.begin // tick + 1) * tick
    while at <= scale.end:
        x = scale.x(at)
        anchor = "end" if x > _WIDTH - 60 else "middle"
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 4}"/>'
        yield f'<text class="axis" x="{x:.1f}" y="14" text-anchor="{anchor}">{datetime.fromtimestamp(at, UTC):{form}}</text>'
        at += tick


def _lane(lane: Lane, top: int, scale: _Scale) -> Iterator[str]:
    yield f'<text class="lane" x="0" y="{top + 17}">{_plain(lane.name)}</text>'
    for bar in lane.bars:
        yield _bar(bar, top, scale)


def _bar(bar: Bar, top: int, scale: _Scale) -> str:
    left, right = scale.x(bar.begin), scale.x(bar.end if bar.end is not None else scale.end)
    inside = bar.kind in ("probe", "action", "verify", "failed")
    y, height = (top + 8, 10) if inside else (top + 5, 16)
    width = max(_THIN, right - left)
    classes = f"bar {bar.kind}" + (" unended" if bar.end is None else "")
    return (
        f'<rect class="{_plain(classes)}" x="{min(left, _WIDTH - _THIN):.1f}" y="{y}" width="{width:.1f}"'
        f' height="{height}" rx="2"><title>{_plain(bar.tip)}</title></rect>'
    )


def _plain(text: str) -> str:
    return escape(readable(text))
