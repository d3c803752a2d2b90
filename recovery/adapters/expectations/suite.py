"""What was counted, judged by Great Expectations: a suite of its for each of ours.

Only the checker process imports this module: the library takes seconds.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from recovery.adapters.expectations.messages import Count

_COLUMNS = ["number", "observed", "least", "most"]
# (what must not be less, than what). Two expectations for a whole suite: one object each would cost 9 ms each.
_ORDERED = (("observed", "least"), ("most", "observed"))
_RESULT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["number"]}


def failing(counts: Iterable[Count]) -> set[int]:
    """The numbers of the expectations that are not met."""
    warnings.filterwarnings("ignore")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("observations")
    suites: dict[str, list[Count]] = defaultdict(list)
    for count in counts:
        suites[count.suite].append(count)
    # Numbered, because the library does not take every name.
    named = ((f"{place} {name}".strip(), counted) for place, (name, counted) in enumerate(suites.items()))
    return {number for name, counted in named for number in _failing(source, name, counted)}


def _failing(source: Any, name: str, counts: list[Count]) -> set[int]:
    table = pd.DataFrame([[getattr(one, column) for column in _COLUMNS] for one in counts], columns=_COLUMNS)
    asset = source.add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": table})
    expectations = [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A=larger, column_B=smaller, or_equal=True)
        for larger, smaller in _ORDERED
    ]
    answer = batch.validate(gx.ExpectationSuite(name=name, expectations=expectations), result_format=_RESULT)
    if len(answer.results) != len(_ORDERED):
        raise ValueError(f"{len(answer.results)} answers to {len(_ORDERED)} questions about {name}")
    return {number for one in answer.results for number in _numbers(one.to_json_dict(), len(counts))}


def _numbers(answer: dict[str, Any], expected: int) -> set[int]:
    """The rows that an expectation stumbled over. An answer about fewer rows than were given is none."""
    result = answer["result"]
    if result.get("element_count") != expected or result["missing_count"]:
        raise ValueError(f"not all of {expected} rows were judged: {answer}")
    numbers = {int(row["number"]) for row in result["unexpected_index_list"] or ()}
    if answer["success"] == bool(numbers):
        raise ValueError(f"an answer that contradicts itself: {answer}")
    return numbers
