"""A document as one HTML page that needs nothing beside it: no network, no script, light and dark, and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from tasks.incident_report.document import Block, Document, Items, Paragraph, Table, Timeline, ToType, readable
from tasks.incident_report.drawing import draw

_LEGEND = (
    ("promise", "what the promises count"),
    ("wait", "waiting for a person"),
    ("run", "run"),
    ("probe", "looking"),
    ("action", "changing"),
    ("verify", "proving"),
    ("failed", "failed or never ended"),
)
_LONG_WORD = 24
_LIGHT = """
  color-scheme: light; --ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --line: #d1d9e0; --shade: #f6f8fa;
  --promise: #6e7781; --wait: #bf8700; --run: #c8d1da; --probe: #218bff; --action: #8250df; --verify: #1a7f37;
  --failed: #cf222e;"""
_DARK = """
  color-scheme: dark; --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --line: #3d444d; --shade: #151b23;
  --promise: #9198a1; --wait: #d29922; --run: #3d444d; --probe: #4493f8; --action: #ab7df8; --verify: #3fb950;
  --failed: #f85149;"""
_STYLE = (
    f":root {{{_LIGHT} }}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ :root {{{_DARK} }} }}\n"
    """
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; margin: .8rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line);
  white-space: pre-line; }
.wide { overflow-x: auto; }
.long { overflow-wrap: anywhere; } .when { white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
p { white-space: pre-line; overflow-wrap: anywhere; }
.yes { color: var(--verify); font-weight: 600; } .no { color: var(--failed); font-weight: 600; }
.write { border: 1px solid var(--line); background: var(--shade); padding: .6rem .8rem; min-height: 6rem; margin: .8rem 0; }
.write b { color: var(--soft); }
svg { width: 100%; min-width: 40rem; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .axis { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--line); stroke-width: 1; }
.legend { color: var(--soft); font-size: .82rem; } .legend span { display: inline-block; margin-right: 1rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .3rem; vertical-align: -1px; }
"""
    + "".join(f".{one} {{ fill: var(--{one}); background: var(--{one}); }} " for one, _ in _LEGEND)
    + """
.unended { fill-opacity: .45; stroke: var(--failed); stroke-dasharray: 3 2; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } h2 { break-after: avoid; } tr, svg { break-inside: avoid; }
  .bar, .legend i { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
)


def as_page(document: Document) -> str:
    """The whole page. Whatever a name holds, it is only a name; the policy keeps even a mistake from loading anything."""
    title = _plain(document.title)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "\n".join(_parts(document))
        + "\n</body>\n</html>\n"
    )


def _parts(document: Document) -> Iterator[str]:
    for section in document.sections:
        yield f"<h{section.level}>{_plain(section.title)}</h{section.level}>"
        yield from map(_block, section.blocks)


def _block(block: Block) -> str:
    match block:
        case Table(rows):
            return _table(rows)
        case Items(items):
            return "<ul>" + "".join(f"<li>{_plain(one)}</li>" for one in items) + "</ul>"
        case Paragraph(text):
            return f"<p>{_plain(text)}</p>"
        case ToType(question):
            return f'<div class="write" contenteditable="true"><b>{_plain(question)}:</b> </div>'
        case Timeline():
            return _timeline(block)


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    head = "".join(f"<th>{_plain(column)}</th>" for column in rows[0])
    body = "".join("<tr>" + "".join(_cell(*cell) for cell in row.items()) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(column: str, text: str) -> str:
    """A word that is too long for its column may break anywhere; a time never."""
    classes = {"yes": ["yes"], "NO": ["no"]}.get(text, []) if column == "Met" else []
    if column.startswith("When"):
        classes.append("when")
    if max(map(len, text.split()), default=0) > _LONG_WORD:
        classes.append("long")
    shown = f' class="{" ".join(classes)}"' if classes else ""
    return f"<td{shown}>{_plain(text)}</td>"


def _timeline(timeline: Timeline) -> str:
    drawn = draw(timeline)
    if not drawn:
        return "<p>Nothing to draw yet.</p>"
    legend = "".join(f'<span><i class="{kind}"></i>{_plain(means)}</span>' for kind, means in _LEGEND)
    return f'<div class="wide">{drawn}</div>\n<p class="legend">{legend}</p>'


def _plain(text: str) -> str:
    return escape(readable(text))
