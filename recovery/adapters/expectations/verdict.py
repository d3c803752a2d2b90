"""What Great Expectations answered, as a result that a person understands."""

from __future__ import annotations

import re
from typing import Any

from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import CheckResult, CheckStatus
from recovery.redaction import MASK, redact

SERVER_SAYS = "PostgreSQL says: "  # so begins what was found when nobody could look
_EXAMPLES = 10
_DRIVER_ERROR = re.compile(r"\(psycopg\.errors\.\w+\) (.+?)(?:\n(?:LINE|\[SQL|\(Background)|$)", re.DOTALL)
# Examples are read by many; these columns by nobody.
_SECRET_COLUMN = re.compile(r"(?i)token|hash|password|secret|api_key|credential")


def verdict(expectation: Expectation, answer: dict[str, Any]) -> CheckResult:
    """The result of one expectation."""
    problem = _problem(answer)
    if problem is not None:
        return failed(expectation, problem)
    found = answer.get("result") or {}
    if answer["success"]:
        return _result(expectation, CheckStatus.PASSED, _seen(expectation, found))
    match expectation.kind:
        case ExpectationKind.COLUMNS:
            missing = found["details"]["mismatched"].get("missing", [])
            return _result(expectation, CheckStatus.FAILED, f"missing: {', '.join(map(str, missing))}")
        case ExpectationKind.UNIQUE:
            return _repeated(expectation, found)
        case ExpectationKind.NO_ROWS:
            return _rows(expectation, found["details"]["unexpected_rows"])
        case _:
            return _result(expectation, CheckStatus.FAILED, _seen(expectation, found))


def failed(expectation: Expectation, error: str) -> CheckResult:
    """The result of an expectation that could not be looked at: damage looks like this."""
    said = _DRIVER_ERROR.search(error)
    text = " ".join((said.group(1) if said else error).split())
    return _result(expectation, CheckStatus.FAILED, redact(f"{SERVER_SAYS}{text[:400]}" if said else text[:400]))


def not_looked(expectation: Expectation) -> CheckResult:
    """The result of an expectation that nobody looks at, with the reason."""
    return CheckResult(expectation.name, expectation.suite, CheckStatus.NOT_CHECKED, "", expectation.expected)


def _result(expectation: Expectation, status: CheckStatus, found: str, examples: tuple[str, ...] = ()) -> CheckResult:
    return CheckResult(expectation.name, expectation.suite, status, expectation.expected, found, examples)


def _problem(answer: dict[str, Any]) -> str | None:
    info = answer.get("exception_info") or {}
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    # By metric, when it was a metric that raised.
    return next((str(one["exception_message"]) for one in info.values() if one.get("raised_exception")), None)


def _seen(expectation: Expectation, found: dict[str, Any]) -> str:
    if expectation.kind is ExpectationKind.ROW_COUNT:
        rows = found["observed_value"]
        return f"{rows:,} row{'' if rows == 1 else 's'}"
    return {
        ExpectationKind.COLUMNS: "all there",
        ExpectationKind.UNIQUE: "no repeats",
    }.get(expectation.kind, "none found")


def _repeated(expectation: Expectation, found: dict[str, Any]) -> CheckResult:
    values = found.get("partial_unexpected_list", [])
    rows = [value if isinstance(value, dict) else {expectation.columns[0]: value} for value in values]
    examples = tuple(dict.fromkeys(_shown(row) for row in rows))[:_EXAMPLES]
    return _result(expectation, CheckStatus.FAILED, f"{found['unexpected_count']:,} rows share a value", examples)


def _rows(expectation: Expectation, rows: list[dict[str, Any]]) -> CheckResult:
    total = int(rows[0].get("rows_found", len(rows)))
    examples = tuple(_shown({k: v for k, v in row.items() if k != "rows_found"}) for row in rows[:_EXAMPLES])
    return _result(expectation, CheckStatus.FAILED, f"{total:,} found", examples)


def _shown(row: dict[str, Any]) -> str:
    parts = (f"{name} = {MASK if _SECRET_COLUMN.search(name) else value}" for name, value in row.items())
    return redact(", ".join(parts))
