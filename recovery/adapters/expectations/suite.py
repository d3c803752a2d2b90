"""Expectations of ours as objects of Great Expectations, and its answers as results of ours.

Only the checker process imports this module: the library takes seconds.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.datasource.fluent.interfaces import TestConnectionError
from great_expectations.exceptions import GreatExpectationsError
from sqlalchemy.exc import SQLAlchemyError

from recovery.adapters.expectations.messages import Request
from recovery.adapters.expectations.template import as_template
from recovery.adapters.expectations.verdict import failed, not_looked, verdict
from recovery.catalog import TableName, quoted
from recovery.environment import NO_FILE, forget_the_shell
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import CheckResult

# Rows are read from the table itself, never through an index that may be the very thing that is broken;
# a row hidden by row level security is an error, not a gap.
_OPTIONS = {
    "row_security": "off",
    "default_transaction_read_only": "on",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_bitmapscan": "off",
    "constraint_exclusion": "off",
    "jit": "off",
    "timezone": "UTC",
    "work_mem": "64MB",
}

_LIBRARY_ERRORS = (TestConnectionError, GreatExpectationsError, SQLAlchemyError)


class NothingFound(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]
    """The library's own expectation asks every query twice, once to count. Ours count by themselves."""

    metric_dependencies = ("unexpected_rows_query.table",)

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        rows = metrics["unexpected_rows_query.table"]
        return {"success": not rows, "result": {"observed_value": len(rows), "details": {"unexpected_rows": rows}}}


def look_at(request: Request) -> tuple[CheckResult, ...]:
    """Look at every expectation; results in the order of the request."""
    results: dict[int, CheckResult] = {}
    source = _source(request)
    groups: dict[TableName | None, list[int]] = defaultdict(list)
    for number, expectation in enumerate(request.expectations):
        if expectation.kind is ExpectationKind.NOT_CHECKED:
            results[number] = not_looked(expectation)
        else:
            by_query = expectation.kind is ExpectationKind.NO_ROWS
            groups[None if by_query else expectation.table].append(number)
    for table, numbers in groups.items():
        chosen = {number: request.expectations[number] for number in numbers}
        results.update(_look_at_one(source, table, chosen))
    return tuple(results[number] for number in range(len(request.expectations)))


def _source(request: Request) -> Any:
    warnings.filterwarnings("ignore")
    address = request.address
    forget_the_shell()
    if address.password is not None:
        os.environ["PGPASSWORD"] = address.password  # not in the source: the library may show its configuration
    options = {**_OPTIONS, "statement_timeout": f"{request.statement_seconds * 1000}"}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    connect_args = {
        "host": address.host,
        "port": address.port,
        "dbname": address.name,
        "user": address.user,
        "passfile": NO_FILE,
        "connect_timeout": 5,
        "application_name": "clickview-recovery",
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
    }
    return context.data_sources.add_sql(
        "database", connection_string="postgresql+psycopg://", kwargs={"connect_args": connect_args}
    )


def _look_at_one(source: Any, table: TableName | None, chosen: dict[int, Expectation]) -> Iterator[Any]:
    try:
        batch = _asset(source, table).add_batch_definition_whole_table("all").get_batch() if table else _query(source)
        found = _validated(batch, chosen, "BOOLEAN_ONLY" if table else "COMPLETE")
        again = {number: chosen[number] for number, one in found.items() if table and not one["success"]}
        counted = {n: e for n, e in chosen.items() if e.kind is ExpectationKind.ROW_COUNT}
        if again or counted:
            found.update(_validated(batch, {**again, **counted}, "SUMMARY"))
    except _LIBRARY_ERRORS as error:
        yield from ((number, failed(expectation, str(error))) for number, expectation in chosen.items())
        return
    yield from ((number, verdict(chosen[number], one)) for number, one in found.items())


def _asset(source: Any, table: TableName) -> Any:
    name = table.name if re.fullmatch(r"[a-z_][a-z0-9_]*", table.name) else quoted(table.name)
    return source.add_table_asset(str(table), table_name=name, schema_name=table.schema)


def _query(source: Any) -> Any:
    return (
        source.add_query_asset("queries", query="SELECT 1 AS one").add_batch_definition_whole_table("all").get_batch()
    )


def _validated(batch: Any, chosen: dict[int, Expectation], result_format: str) -> dict[int, dict[str, Any]]:
    suite = gx.ExpectationSuite(name="suite", expectations=[_object(n, e) for n, e in chosen.items()])
    answer = batch.validate(suite, result_format=result_format)
    # Results come in an order of their own.
    return {one.expectation_config["meta"]["number"]: one.to_json_dict() for one in answer.results}


def _object(number: int, expectation: Expectation) -> Any:
    meta = {"number": number}
    match expectation.kind:
        case ExpectationKind.COLUMNS:
            return gxe.ExpectTableColumnsToMatchSet(column_set=list(expectation.columns), exact_match=False, meta=meta)
        case ExpectationKind.ROW_COUNT:
            return gxe.ExpectTableRowCountToBeBetween(
                min_value=expectation.minimum, max_value=expectation.maximum, meta=meta
            )
        case ExpectationKind.UNIQUE if len(expectation.columns) == 1:
            return gxe.ExpectColumnValuesToBeUnique(column=expectation.columns[0], meta=meta)
        case ExpectationKind.UNIQUE:
            return gxe.ExpectCompoundColumnsToBeUnique(
                column_list=list(expectation.columns), ignore_row_if="any_value_is_missing", meta=meta
            )
        case _:
            return NothingFound(unexpected_rows_query=as_template(expectation.query), meta=meta)
