"""Panels drawn from answers: what is there is shown, what is not is said."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from local.preview import data, heatmap
from local.preview.errors import UnsupportedError
from local.preview.frame import Area
from local.preview.page import drawn, page, picture
from local.promql import Sample
from local.promql import Series as Answer
from unit.preview import given

AREA = Area(600.0, 300.0)
VALUE = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none", "orientation": "horizontal"}
BARS = {"custom": {"drawStyle": "bars", "stacking": {"mode": "normal"}}}


def texts(content: str) -> list[str]:
    """All words of a picture."""
    whole = ElementTree.fromstring(f"<svg>{content}</svg>")  # noqa: S314
    return [element.text or "" for element in whole.iter("text")]


def draw(panel: dict[str, Any], *found: data.Series) -> str:
    return drawn(given.given(panel).panels[0], list(found), AREA, given.HOUR)


@pytest.mark.parametrize("kind", ["stat", "timeseries", "table", "heatmap", "bargauge", "status-history"])
def test_a_panel_without_data_says_why(kind: str) -> None:
    panel = given.panel_json(kind, fieldConfig={"defaults": {"noValue": "No run has ended yet."}})
    assert texts(draw(panel)) == ["No run has ended yet."]


def test_a_number_is_shown_in_its_unit() -> None:
    panel = given.panel_json("stat", options=VALUE, fieldConfig={"defaults": {"unit": "s"}})
    assert texts(draw(panel, given.series("", 90.0))) == ["1.50 min"]


def test_numbers_side_by_side_are_named() -> None:
    panel = given.panel_json("stat", options=VALUE)
    assert texts(draw(panel, given.series("a", 1.0), given.series("b", 2.0))) == ["1", "a", "2", "b"]


def test_lines_have_axes_and_a_legend() -> None:
    found = texts(draw(given.panel_json("timeseries"), given.series("p50", 1.0, 2.0, 4.0)))
    assert {"0", "4", "02:00", "p50"} <= set(found)


def test_stacked_bars_stand_on_each_other() -> None:
    panel = given.panel_json("timeseries", fieldConfig={"defaults": BARS})
    found = texts(draw(panel, given.series("a", 5.0, 5.0), given.series("b", 5.0, 5.0)))
    assert "10" in found  # the axis reaches their sum


def test_a_line_breaks_where_a_value_is_missing_unless_gaps_are_bridged() -> None:
    values = (1.0, 1.0, math.nan, math.nan, 1.0, 1.0)
    broken = draw(given.panel_json("timeseries"), given.series("a", *values))
    bridged = draw(
        given.panel_json("timeseries", fieldConfig={"defaults": {"custom": {"spanNulls": 3_600_000}}}),
        given.series("a", *values),
    )
    count = [piece.count("M") for piece in (broken, bridged)]
    assert count == [2, 1]


def test_a_legend_beside_a_graph_has_its_sums() -> None:
    legend = {"displayMode": "table", "placement": "right", "calcs": ["mean", "max"]}
    panel = given.panel_json("timeseries", options={"legend": legend})
    found = texts(draw(panel, given.series("a", 1.0, 5.0)))
    assert {"mean", "max", "3", "5"} <= set(found)


def test_a_limit_is_drawn_at_its_value() -> None:
    steps = [{"value": None, "color": "green"}, {"value": 8.0, "color": "red"}]
    configuration = {
        "defaults": {"thresholds": {"steps": steps}, "custom": {"thresholdsStyle": {"mode": "dashed"}}}
    }
    content = draw(given.panel_json("timeseries", fieldConfig=configuration), given.series("a", 1.0, 2.0))
    assert "stroke-dasharray" in content
    assert "8" in texts(content)  # the axis reaches it


def test_a_table_joins_queries_by_their_labels() -> None:
    changes = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {"schedule": 0, "Value #A": 1, "Value #B": 2},
                "renameByName": {"schedule": "Schedule", "Value #A": "Lag", "Value #B": "Runs"},
            },
        },
    ]
    panel = given.panel_json(
        "table", "a", "b", transformations=changes, options={"sortBy": [{"displayName": "Lag", "desc": True}]}
    )
    found = texts(
        draw(
            panel,
            given.series("", 1.0, schedule="early"),
            given.series("", 2.0, schedule="late"),
            given.series("", 24.0, ref="B", schedule="early"),
        )
    )
    assert found == ["Schedule", "late", "early", "Lag", "2", "1", "Runs", "", "24"]


def test_a_table_by_other_transformations_is_refused_by_name() -> None:
    panel = given.panel_json("table", transformations=[{"id": "pivot", "options": {}}])
    with pytest.raises(UnsupportedError, match="pivot"):
        draw(panel, given.series("", 1.0))


def test_buckets_are_told_apart() -> None:
    found = [
        given.series("", 2.0, 3.0, le="1"),
        given.series("", 9.0, 4.0, le="+Inf"),
        given.series("", 7.0, 3.0, le="2.5"),
    ]
    assert heatmap.buckets(found) == [(1.0, (2.0, 3.0)), (2.5, (5.0, 0.0)), (math.inf, (2.0, 1.0))]


def test_a_heat_map_has_a_cell_for_each_bucket_with_something_in_it() -> None:
    options = {"color": {"scheme": "Oranges"}, "yAxis": {"unit": "s"}}
    panel = given.panel_json("heatmap", options=options)
    content = draw(panel, given.series("", 0.0, 2.0, 0.0, le="1"), given.series("", 0.0, 2.0, 4.0, le="+Inf"))
    assert {"1 s", "+Inf"} <= set(texts(content))


def test_bars_are_named_and_told() -> None:
    panel = given.panel_json("bargauge", options=VALUE, fieldConfig={"defaults": {"unit": "locale"}})
    assert texts(draw(panel, given.series("NoReadings", 4892.0))) == ["NoReadings", "4,892"]


def test_states_are_coloured_by_their_thresholds() -> None:
    steps = [{"value": None, "color": "green"}, {"value": 2.0, "color": "red"}]
    panel = given.panel_json("status-history", fieldConfig={"defaults": {"thresholds": {"steps": steps}}})
    content = draw(panel, given.series("pumps", 1.0, 1.0, 2.5))
    assert content.count("#73BF69") == 1  # what lies before the range is not drawn
    assert content.count("#F2495C") == 1


def test_a_refused_query_is_shown_and_told() -> None:
    source = given.Source(refuses="parse error")
    drawing = picture(given.given(given.panel_json("stat", options=VALUE)), source, given.HOUR, {})
    assert drawing.refused == ("A panel: parse error",)
    assert "parse error" in drawing.svg


def test_a_graph_asks_for_steps_that_begin_on_a_round_time() -> None:
    panel = given.panel("timeseries", "rate(x[$__rate_interval])", maxDataPoints=6)
    source = given.Source(series=[Answer({"name": "a"}, ((7200.0, 1.0),))])
    found = data.ask(panel, source, data.Range(7261.0, 10861.0, 15.0), {})
    assert source.asked == [("rate(x[615s])", 7200.0, 10800.0, 600.0)]
    assert found[0].name == "a"
    assert [value for value in found[0].values if not math.isnan(value)] == [1.0]


def test_a_graph_keeps_to_its_smallest_step() -> None:
    source = given.Source()
    data.ask(given.panel("timeseries", "x", interval="20m"), source, given.HOUR, {})
    assert source.asked == [("x", 7200.0, 10800.0, 1200.0)]


def test_a_number_is_asked_for_at_the_end_of_the_range() -> None:
    source = given.Source(samples=[Sample({"name": "a"}, math.inf), Sample({"name": "b"}, 2.0)])
    found = data.ask(given.panel("stat", "x[$__range]"), source, given.HOUR, {})
    assert source.asked == [("x[3600s]", 10800.0)]
    assert math.isnan(found[0].last)  # a share of nothing
    assert found[1].last == 2.0


def test_names_in_answers_cannot_break_the_page() -> None:
    source = given.Source(samples=[Sample({"name": "<script>"}, 1.0)])
    made = given.given(given.panel_json("bargauge", options=VALUE))
    drawing = picture(made, source, given.HOUR, {})
    ElementTree.fromstring(drawing.svg)  # noqa: S314
    whole = page(made, drawing, [("<b>", "a.html")])
    assert "<script>" not in whole
    assert "<b>" not in whole
