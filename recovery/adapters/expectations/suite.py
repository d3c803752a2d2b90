"""What was counted, judged by Great Expectations: one suite of its for all of ours.

Only the checker process imports this module: the library takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from recovery.adapters.expectations.messages import Count

_COLUMNS = ["number", "observed", "least", "most"]
# (what must not be less, than what). Two expectations for all that was counted: one object for each count would cost
# 9 ms, a suite for each of ours 30.
_ORDERED = (("observed", "least"), ("most", "observed"))
_NAME = "observations"
_RESULT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["number"]}


def failing(counts: Sequence[Count]) -> set[int]:
    """The numbers of the expectations that are not met."""
    if not counts:
        return set()
    table = pd.DataFrame([[getattr(one, column) for column in _COLUMNS] for one in counts], columns=_COLUMNS)
    expectations = [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A=larger, column_B=smaller, or_equal=True)
        for larger, smaller in _ORDERED
    ]
    suite = gx.ExpectationSuite(name=_NAME, expectations=expectations)
    answer = _batch(table).validate(suite, result_format=_RESULT)
    if len(answer.results) != len(_ORDERED):
        raise ValueError(f"{len(answer.results)} answers to {len(_ORDERED)} questions")
    return {number for one in answer.results for number in _numbers(one.to_json_dict(), len(counts))}


def _batch(table: pd.DataFrame) -> Any:
    warnings.filterwarnings("ignore")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(_NAME).add_dataframe_asset(_NAME)
    return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})


def _numbers(answer: dict[str, Any], expected: int) -> set[int]:
    """The rows that an expectation stumbled over. An answer about fewer rows than were given is none."""
    result = answer["result"]
    if result.get("element_count") != expected or result["missing_count"]:
        raise ValueError(f"not all of {expected} rows were judged: {answer}")
    numbers = {int(row["number"]) for row in result["unexpected_index_list"] or ()}
    if answer["success"] == bool(numbers):
        raise ValueError(f"an answer that contradicts itself: {answer}")
    return numbers
