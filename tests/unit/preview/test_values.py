"""Values, units, ticks and fields as people read them."""

from __future__ import annotations

import math

import pytest

from local.preview import svg, ticks, units
from local.preview.errors import UnsupportedError
from local.preview.fields import field
from local.preview.reduce import reduced
from unit.preview import given


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "wanted"),
    [
        (0.0042, "s", None, "4.20 ms"),
        (90, "s", None, "1.50 min"),
        (0, "s", None, "0 s"),
        (12_345, "short", None, "12.3 K"),
        (12_345, "locale", 0, "12,345"),
        (0.975, "percentunit", None, "97.5%"),
        (-3, "none", None, "\N{MINUS SIGN}3"),
        (2**20 * 1.5, "bytes", None, "1.50 MiB"),
        (1_772_409_600_000, "dateTimeAsIso", None, "2026-03-02 00:00"),
        (1, "bool_yes_no", None, "Yes"),
        (3.5, "suffix:EUR", 2, "3.50 EUR"),
        (math.nan, "s", None, "\N{EN DASH}"),
    ],
)
def test_a_value_in_its_unit(value: float, unit: str, decimals: int | None, wanted: str) -> None:
    assert units.text(value, unit, decimals) == wanted


def test_an_unknown_unit_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="the unit furlong"):
        units.text(1, "furlong")


@pytest.mark.parametrize(
    ("values", "unit", "wanted"),
    [
        ([0, 500, 1000, 1500], "short", ["0", "500", "1 K", "1.5 K"]),
        ([0, 0.25, 0.5], "none", ["0", "0.25", "0.5"]),
        ([0, 0.05, 0.1], "percentunit", ["0%", "5%", "10%"]),
        ([0, 1800, 3600], "s", ["0 s", "30 min", "1 h"]),
    ],
)
def test_ticks_have_as_few_decimals_as_they_need(values: list[float], unit: str, wanted: list[str]) -> None:
    assert units.tick_texts(values, unit) == wanted


@pytest.mark.parametrize(
    ("low", "high", "unit", "wanted"),
    [
        (0, 9.3, "", [0, 2.5, 5, 7.5, 10]),
        (0, 130, "s", [0, 60, 120, 180]),
        (0, 0, "", [0, 0.25, 0.5, 0.75, 1]),
        (0, 3 * 2**20, "bytes", [0, 2**20, 2 * 2**20, 3 * 2**20]),
    ],
)
def test_an_axis_has_round_ticks_that_span_the_values(
    low: float, high: float, unit: str, wanted: list[float]
) -> None:
    assert ticks.linear(low, high, unit) == wanted


def test_a_logarithmic_axis_of_times_has_minutes_and_hours() -> None:
    assert ticks.powers(0.02, 700, "s") == [0.01, 0.1, 1, 10, 60, 600, 3600]
    assert ticks.powers(2, 30) == [1, 10, 100]


def test_an_override_stands_over_the_defaults() -> None:
    panel = given.panel(
        "timeseries",
        fieldConfig={
            "defaults": {"unit": "s", "color": {"mode": "palette-classic"}},
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": "Failed"},
                    "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}}],
                },
                {
                    "matcher": {"id": "byFrameRefID", "options": "B"},
                    "properties": [{"id": "custom.lineStyle", "value": {"fill": "dash"}}],
                },
            ],
        },
    )
    assert field(panel, "Failed", "A").line_colour(3) == svg.NAMED["red"]
    assert field(panel, "Scored", "A").line_colour(0) == svg.PALETTE[0]
    assert field(panel, "Scored", "B").custom == {"lineStyle": {"fill": "dash"}}


def test_thresholds_and_mappings_colour_a_value() -> None:
    panel = given.panel(
        "stat",
        fieldConfig={
            "defaults": {
                "thresholds": {
                    "mode": "absolute",
                    "steps": [{"value": None, "color": "green"}, {"value": 0.95, "color": "red"}],
                },
                "mappings": [{"type": "value", "options": {"0": {"text": "Nobody", "color": "blue"}}}],
            }
        },
    )
    look = field(panel, "x", "A")
    assert look.colour(0.94) == svg.NAMED["green"]
    assert look.colour(0.95) == svg.NAMED["red"]
    assert (look.text(0), look.colour(0)) == ("Nobody", svg.NAMED["blue"])


def test_an_override_that_is_not_known_is_refused_by_name() -> None:
    panel = given.panel(
        "stat", fieldConfig={"overrides": [{"matcher": {"id": "byType", "options": "x"}, "properties": []}]}
    )
    with pytest.raises(UnsupportedError, match="byType"):
        field(panel, "x", "A")


@pytest.mark.parametrize(
    ("calc", "wanted"), [("lastNotNull", 2.0), ("max", 3.0), ("min", 1.0), ("mean", 2.0), ("sum", 6.0)]
)
def test_reducers_pass_over_what_is_missing(calc: str, wanted: float) -> None:
    assert reduced([1.0, math.nan, 3.0, 2.0, math.nan], calc) == wanted


def test_nothing_is_reduced_to_nothing() -> None:
    assert math.isnan(reduced([math.nan], "max"))


def test_text_is_cut_to_the_room_there_is() -> None:
    assert svg.shorten("plant-north", 12, 1000) == "plant-north"
    cut = svg.shorten("plant-north/pumps", 12, 60)
    assert cut.endswith("…")
    assert svg.width(cut, 12) <= 60
