"""A document, before it is Markdown or HTML: both say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recovery.redaction import printable, redact


@dataclass(frozen=True)
class Bar:
    """A stretch of time in a row of the timeline; one that has not ended has no end."""

    begin: float
    end: float | None
    kind: str
    tip: str


@dataclass(frozen=True)
class Lane:
    """A row of the timeline."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Timeline:
    """Rows over one clock, in seconds since 1970."""

    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class Table:
    """Rows that all have the same columns."""

    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Paragraph:
    """A sentence or more."""

    text: str


@dataclass(frozen=True)
class ToType:
    """What only people know: a place to write."""

    question: str


Block = Table | Items | Paragraph | ToType | Timeline


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it. Level 3 is a part of the one before."""

    title: str
    blocks: Sequence[Block]
    level: int = 2


@dataclass(frozen=True)
class Document:
    """A title and its sections."""

    title: str
    sections: Sequence[Section] = field(default_factory=tuple)


def readable(text: str) -> str:
    """A text with nothing in it that hides, or turns, what stands beside it; secrets masked."""
    return redact(printable(text)).strip()
