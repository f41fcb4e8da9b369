"""Sinks: what the administrator's settings become, and that the scorer understands it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_vectors import vectors
from scorer.contract.fields import UsageError
from scorer.contract.sinks import Debounce, Sink, sinks_of
from scorer.contract.work import parse_work_order
from scoring import work
from scoring_operator.sections import Section, SettingsError
from scoring_operator.sinks import sink, sinks_order

SINKS = vectors("sinks")
Json = dict[str, Any]


def by_name(cases: list[Json]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def settings_of(case: Json) -> Any:
    return sink("ops", Section(case["settings"], "settings.sinks.ops"))


@by_name(SINKS["valid"])
def test_settings_become_orders(case: Json) -> None:
    (order,), secrets = sinks_order((settings_of(case),))
    assert order == case["order"]
    assert {name: [key.name, key.key] for name, key in secrets.items()} == case["secrets"]


@by_name(SINKS["valid"])
def test_the_scorer_understands_them(case: Json) -> None:
    (read,) = sinks_of([case["order"]])
    told = case["order"]
    assert (read.name, read.kind, read.batch) == ("ops", told["type"], told["batch"])
    assert read.place == (told.get("url", ""), told.get("urlFrom", ""), told.get("hub", ""))
    assert read.headers == told.get("headers", {})
    debounce = told.get("debounce", {"atLeast": 1, "of": 1})
    assert read.debounce == Debounce(debounce["atLeast"], debounce["of"])
    assert [route.place.nowhere for route in read.routes] == [
        route.get("drop", False) for route in told.get("routes", [])
    ]


@by_name(SINKS["refused"])
def test_mistakes_in_settings_are_refused(case: Json) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(case)
    assert case["names"] in str(refused.value)


@by_name(SINKS["orders_refused"])
def test_what_no_operator_says_is_refused(case: Json) -> None:
    with pytest.raises(UsageError) as refused:
        sinks_of(case["sinks"])
    assert case["names"] in str(refused.value)


def test_two_sinks_have_variables_of_their_own() -> None:
    both = tuple(settings_of(case) for case in SINKS["valid"] if case["secrets"])
    orders, secrets = sinks_order(both)
    assert orders[1]["connectionFrom"] == "SENSORSCORE_SINK_1_0"
    assert len(secrets) == 4


def test_only_the_publish_stage_has_sinks() -> None:
    order = work(["a"]) | {"sinks": [SINKS["valid"][0]["order"]], "schedule": "hourly"}
    with pytest.raises(UsageError, match="sinks belongs to the stage Publish"):
        parse_work_order(json.dumps(order))
    read = parse_work_order(json.dumps(order | {"stage": "Publish", "decisions": "/d.json"}))
    assert (read.schedule, [type(each) for each in read.sinks]) == ("hourly", [Sink])
