"""Where predictions may lie: the operator and the scorer must say the same of every choice of paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_vectors import vectors
from scorer.contract.paths import TemplateError
from scorer.contract.paths import check_apart as scorer_check
from scoring_operator.contract import ContractError
from scoring_operator.contract import check_apart as operator_check

ORDERS = vectors("work_orders")
Paths = dict[str, Any]


def called(case: Paths) -> str:
    return f"{case['output']} by {case['readings']} and {case['model']}"


@pytest.mark.parametrize("case", ORDERS["apart"], ids=called)
def test_paths_that_stay_apart_are_taken_by_both(case: Paths) -> None:
    operator_check(case["output"], case["readings"], case["model"])
    scorer_check(case["output"], case["readings"], case["model"])


@pytest.mark.parametrize("case", ORDERS["overlapping"], ids=called)
def test_paths_that_may_meet_are_refused_by_both_naming_the_two(case: Paths) -> None:
    with pytest.raises(ContractError) as by_operator:
        operator_check(case["output"], case["readings"], case["model"], case.get("others", {}))
    with pytest.raises(TemplateError) as by_scorer:
        scorer_check(case["output"], case["readings"], case["model"], case.get("others", {}))
    for sentence in (str(by_operator.value), str(by_scorer.value)):
        assert repr(case["output"]) in sentence
        assert case["with"] in sentence


PART = st.sampled_from(
    [
        "a",
        "b",
        "runs",
        "07",
        "x.json",
        "{sensor}",
        "{shard}",
        "{yyyy}",
        "{HH}",
        "*",
        "p-{sensor}.x",
        "{HH}.x",
        "a*",
    ]
)
PATH = st.lists(PART, min_size=1, max_size=5).map("/".join)


@given(output=PATH, readings=PATH, model=PATH)
def test_both_say_the_same_of_any_paths(output: str, readings: str, model: str) -> None:
    try:
        operator_check(output, readings, model)
    except ContractError:
        with pytest.raises(TemplateError):
            scorer_check(output, readings, model)
    else:
        scorer_check(output, readings, model)
