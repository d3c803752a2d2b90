"""What the checker process is asked and what it answers: one line of JSON each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from recovery.catalog import TableName
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import CheckResult, CheckStatus, DatabaseAddress


@dataclass(frozen=True)
class Request:
    """Look at this database."""

    address: DatabaseAddress
    statement_seconds: int
    expectations: tuple[Expectation, ...]

    def line(self) -> str:
        return json.dumps(asdict(self))


def read_request(line: str) -> Request:
    """A request as it was sent."""
    fields = json.loads(line)
    return Request(
        DatabaseAddress(**fields["address"]),
        fields["statement_seconds"],
        tuple(_expectation(one) for one in fields["expectations"]),
    )


def _expectation(fields: dict[str, object]) -> Expectation:
    table = fields.pop("table")
    fields["kind"] = ExpectationKind(str(fields["kind"]))
    for name in ("columns", "shown", "differences"):
        fields[name] = tuple(fields[name])  # type: ignore[arg-type]
    return Expectation(**fields, table=TableName(**table) if isinstance(table, dict) else None)  # type: ignore[arg-type]


def answer_line(results: tuple[CheckResult, ...]) -> str:
    """Results as they are sent."""
    return json.dumps([asdict(result) for result in results])


def read_answer(line: str) -> tuple[CheckResult, ...]:
    """Results as they were sent."""
    return tuple(
        CheckResult(**{**fields, "status": CheckStatus(fields["status"]), "examples": tuple(fields["examples"])})
        for fields in json.loads(line)
    )
