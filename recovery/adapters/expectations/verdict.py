"""What was seen and judged, as a result that a person understands."""

from __future__ import annotations

import re
from dataclasses import replace

from recovery.adapters.expectations.messages import Count
from recovery.adapters.postgres.seen import Row, Seen
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import CheckResult, CheckStatus
from recovery.redaction import MASK, redact

SERVER_SAYS = "PostgreSQL says: "  # so begins what was found when nobody could read the data
_MOST_LETTERS = 400
_NO_LIMIT = 2**62
# Examples are read by many; these columns by nobody, nor where people are reached.
_SECRET_COLUMN = re.compile(r"(?i)token|hash|password|secret|api_key|credential|mail|phone")


def count_of(number: int, expectation: Expectation, seen: Seen) -> Count:
    """What is to be judged: a number of rows, and between which numbers it must lie."""
    if expectation.kind is ExpectationKind.ROW_COUNT:
        most = _NO_LIMIT if expectation.maximum is None else expectation.maximum
        return Count(number, seen.rows, expectation.minimum or 0, most)
    return Count(number, seen.rows, 0, 0)


def verdict(expectation: Expectation, seen: Seen, *, met: bool) -> CheckResult:
    """The result of one expectation that somebody looked at, or tried to."""
    if seen.problem:
        # A condition that was never promised, or that the site wrote itself, may stumble over a value that is fine.
        loose = seen.of_a_value and (expectation.known or expectation.kind is ExpectationKind.NO_ROWS)
        damage = seen.damage and not loose
        status = CheckStatus.FAILED if damage else CheckStatus.NOT_CHECKED
        return _result(expectation, status, redact(f"{SERVER_SAYS if damage else ''}{seen.problem[:_MOST_LETTERS]}"))
    if met:
        return _result(expectation, CheckStatus.PASSED, _in_order(expectation, seen))
    found, examples = _trouble(expectation, seen), _examples(seen.examples)
    news = expectation.known_rows is not None and seen.rows > expectation.known_rows
    status = CheckStatus.WARNING if expectation.known and not news else CheckStatus.FAILED
    told = f"{found}; {expectation.known}" if expectation.known else found
    return replace(_result(expectation, status, told, examples), rows=seen.rows)


def not_looked(expectation: Expectation, why: str) -> CheckResult:
    """The result of an expectation that nobody looked at or judged, with the reason."""
    return _result(expectation, CheckStatus.NOT_CHECKED, redact(why))


def nobody_looks(expectation: Expectation) -> CheckResult:
    """The result of an expectation that only says that nobody looks: its text is the reason."""
    return CheckResult(expectation.name, expectation.suite, CheckStatus.NOT_CHECKED, "", expectation.expected)


def _result(expectation: Expectation, status: CheckStatus, found: str, examples: tuple[str, ...] = ()) -> CheckResult:
    of_rows = expectation.kind is not ExpectationKind.AGREED
    return CheckResult(expectation.name, expectation.suite, status, expectation.expected, found, examples, of_rows)


def _in_order(expectation: Expectation, seen: Seen) -> str:
    match expectation.kind:
        case ExpectationKind.ROW_COUNT:
            return _rows(seen.rows)
        case ExpectationKind.UNIQUE:
            return "no repeats"
        case ExpectationKind.AGREED:
            return "no difference"
        case _:
            return "none found"


def _trouble(expectation: Expectation, seen: Seen) -> str:
    match expectation.kind:
        case ExpectationKind.ROW_COUNT:
            return _rows(seen.rows)
        case ExpectationKind.UNIQUE:
            return f"{seen.rows:,} rows share a value"
        case ExpectationKind.AGREED:
            return "; ".join(expectation.differences) if seen.rows == 1 else f"{seen.rows:,} differences"
        case _:
            return f"{seen.rows:,} found"


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _examples(rows: tuple[Row, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_shown(row) for row in rows))


def _shown(row: Row) -> str:
    parts = (
        f"{name} = {MASK if _SECRET_COLUMN.search(name) else value[:_MOST_LETTERS]}" if name else value
        for name, value in row
    )
    return redact(", ".join(parts))
