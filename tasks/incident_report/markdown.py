"""A document as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.artifacts import markdown_cell, markdown_table
from tasks.incident_report.document import Block, Document, Items, Paragraph, Table, Timeline, ToType


def as_markdown(document: Document) -> str:
    """The whole document. Whatever a name holds, it is only a name."""
    return "\n\n".join(_parts(document)) + "\n"


def _parts(document: Document) -> Iterator[str]:
    yield f"# {markdown_cell(document.title)}"
    for section in document.sections:
        yield f"{'#' * section.level} {markdown_cell(section.title)}"
        yield from (text for block in section.blocks if (text := _block(block)))


def _block(block: Block) -> str:
    match block:
        case Table(rows):
            return markdown_table(rows)
        case Items(items):
            return "\n".join(f"- {markdown_cell(one)}" for one in items)
        case Paragraph(text):
            return markdown_cell(text)
        case ToType(question):
            return f"**{markdown_cell(question)}:**"
        case Timeline():
            return ""  # a picture: in the HTML page
