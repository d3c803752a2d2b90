"""A document as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.artifacts import markdown_cell, markdown_table
from tasks.incident_report.document import Block, Document, Items, Paragraph, Table, Timeline, ToType, readable


def as_markdown(document: Document) -> str:
    """The whole document. Whatever a name holds, it is only a name."""
    return "\n\n".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    yield f"# {_plain(document.title)}"
    for section in document.sections:
        yield f"{'#' * section.level} {_plain(section.title)}"
        yield from (text for block in section.blocks if (text := _block(block)))


def _block(block: Block) -> str:
    match block:
        case Table(rows):
            return markdown_table([{name: readable(text) for name, text in row.items()} for row in rows])
        case Items(items):
            return "\n".join(f"- {_plain(one)}" for one in items)
        case Paragraph(text):
            return _plain(text)
        case ToType(question):
            return f"**{_plain(question)}:**"
        case Timeline():
            return ""  # a picture: in the HTML page


def _plain(text: str) -> str:
    return markdown_cell(readable(text))
