"""The rows of a benchmark: medians of what was measured, the table, the aims, the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.dumps import DUMP
from benchmarks.engine import ENGINE
from benchmarks.flow import FLOW, FLOW_CHECKED

Work = Literal["backup", "restore", "check"]
_FASTER = {"backup": 2.5, "restore": 4.0}
_ALLOWED_SHARE, _ALLOWED_SECONDS = 1.05, 3.0
_ALLOWED_WITH_CHECKS, _ALLOWED_TABLES_SECONDS = 1.6, 15.0
CHECKED_TABLES = "3,000 small tables"


@dataclass(frozen=True)
class Row:
    """One work of one contestant. `bytes`: stored by a backup, brought back by a restore, looked at by a check."""

    work: Work
    who: str
    seconds: float | None
    bytes: int | None
    why: str | None = None


@dataclass(frozen=True)
class Aim:
    """What we promised, and what was measured."""

    text: str
    met: bool


def medians(rows: Iterable[Row]) -> list[Row]:
    """One row for each work of each contestant, in the order in which they first came."""
    groups: dict[tuple[Work, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.work, row.who), []).append(row)
    return [_middle(group) for _, group in sorted(groups.items(), key=lambda item: item[0][0])]


def _middle(group: list[Row]) -> Row:
    first = group[0]
    seconds = [row.seconds for row in group if row.seconds is not None]
    sizes = [row.bytes for row in group if row.bytes is not None]
    if not seconds or not sizes:
        return first
    return Row(first.work, first.who, round(median(seconds), 2), int(median(sizes)))


def aims(rows: Iterable[Row]) -> list[Aim]:
    """Hold the flows against the engine and against what ClickView had."""
    seconds = {(row.work, row.who): row.seconds for row in rows if row.seconds}
    found = []
    for work, faster in _FASTER.items():
        flow, engine, dump = (seconds[work, who] for who in (FLOW, ENGINE, DUMP))  # type: ignore[index]
        allowed = engine * _ALLOWED_SHARE + _ALLOWED_SECONDS
        found.append(
            Aim(f"{work}: flow {flow:.1f} s, engine {engine:.1f} s (aim: at most {allowed:.1f} s)", flow <= allowed)
        )
        found.append(
            Aim(f"{work}: {dump / flow:.1f} × faster than {DUMP} (aim: at least {faster} ×)", dump / flow >= faster)
        )
    return found + list(_aims_of_checks(seconds))


def _aims_of_checks(seconds: Mapping[tuple[Work, str], float]) -> Iterator[Aim]:
    """The proof must not cost more than what it proves."""
    checked, plain = seconds.get(("restore", FLOW_CHECKED)), seconds.get(("restore", FLOW))
    if checked and plain:
        said = f"restore: flow with checks {checked:.1f} s, flow without {plain:.1f} s"
        allowed = plain * _ALLOWED_WITH_CHECKS
        yield Aim(f"{said} (aim: at most {_ALLOWED_WITH_CHECKS} ×, {allowed:.1f} s)", checked <= allowed)
    if tables := seconds.get(("check", CHECKED_TABLES)):
        said = f"{CHECKED_TABLES} checked in {tables:.1f} s"
        yield Aim(f"{said} (aim: less than {_ALLOWED_TABLES_SECONDS:.0f} s)", tables < _ALLOWED_TABLES_SECONDS)


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table, with the ratios."""
    rows = list(rows)
    seconds = {(row.work, row.who): row.seconds for row in rows}
    lines = [
        f"| work | who | seconds | MB | time against the engine | faster than {DUMP.split(',')[0].replace('|', 'and')} |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        name = row.who.replace("|", "\\|")
        if not row.seconds or row.bytes is None:
            lines.append(f"| {row.work} | {name} | – | – | {row.why} | |")
            continue
        engine, dump = seconds.get((row.work, ENGINE)), seconds.get((row.work, DUMP))
        ratios = [f"{row.seconds / engine:.2f} ×" if engine else "", f"{dump / row.seconds:.1f} ×" if dump else ""]
        lines.append(f"| {row.work} | {name} | {row.seconds:.1f} | {row.bytes / 1e6:.0f} | {ratios[0]} | {ratios[1]} |")
    return "\n".join(lines)


def write(rows: Iterable[Row], file: Path) -> None:
    """Write the rows as JSON, whole or not at all."""
    plain = [{key: value for key, value in asdict(row).items() if key != "why" or value} for row in rows]
    beside = file.with_suffix(".new")
    beside.write_text("[\n" + ",\n".join(f" {json.dumps(one)}" for one in plain) + "\n]\n")
    beside.replace(file)
