from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from scorer.ingest.settings import Column, SettingsError, Windows, settings

GIVEN: dict[str, Any] = {
    "mapping": {"sensor": "device-{Device}-tag-{Tag}", "values": "Value", "time": "TS"},
    "window": {"size": "5s"},
    "columns": {"value": "avg"},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The settings with one field set; `...` takes it out."""
    given: dict[str, Any] = deepcopy(GIVEN)
    *inside, last = path.split(".")
    place = given
    for name in inside:
        place = place.setdefault(name, {})
    place[last] = value
    if value is ...:
        del place[last]
    return given


def test_what_is_not_said_is_as_in_stream_analytics() -> None:
    found = settings(GIVEN)
    assert found.windows == Windows(5_000_000)
    assert found.columns == (Column("value", "avg", 0),)
    ordering = found.ordering
    assert (ordering.late, ordering.out_of_order, ordering.early) == (5_000_000, 0, 300_000_000)
    assert (ordering.on_late, ordering.on_out_of_order, ordering.idle_after) == ("Adjust", "Adjust", None)


def test_columns_of_several_values() -> None:
    given = changed("mapping.values", {"heat": "h", "press": "p"})
    given["columns"] = {"heat": "avg", "n": "count", "low": "min(press)"}
    assert settings(given).columns == (
        Column("heat", "avg", 0),
        Column("n", "count", 0),
        Column("low", "min", 1),
    )


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("mapping", ..., "mapping is missing"),
        ("mapping.sensor", ..., "mapping.sensor is missing"),
        ("mapping.sensor", "a{b", "mapping.sensor"),
        ("mapping.values", {}, "mapping.values is empty"),
        ("mapping.values", 7, "mapping.values"),
        ("mapping.time", ..., "mapping.time is missing"),
        ("mapping.timeForm", "Days", "mapping.timeForm"),
        ("mapping.over", ["Plant"], "'Plant'"),
        ("mapping.over", "Device", "mapping.over"),
        ("mapping.format", "Avro", "mapping.format"),
        ("mapping.delimiter", "::", "mapping.delimiter"),
        ("mapping.unit", {"field": "u"}, "mapping.unit.conversions is missing"),
        ("mapping.unit", {"field": "u", "conversions": {"C": {"by": 2}}}, "mapping.unit.conversions.C.by"),
        ("mapping.unit", {"field": "u", "conversions": {"C": {"factor": "2"}}}, "C.factor"),
        ("window.size", ..., "window.size is missing"),
        ("window.size", "0s", "window.size"),
        ("window.size", "8d", "window.size is 8d: wanted 1us to 7d"),
        ("window.size", 5, "window.size is 5: wanted a duration"),
        ("window.offset", "5s", "window.offset"),
        ("window.kind", "hopping", "window.kind is not known"),
        ("columns", {}, "columns is empty"),
        ("columns.time", "avg", "columns.time"),
        ("columns.x-y", "avg", "columns.x-y"),
        ("columns.x", "median", "columns.x"),
        ("columns.x", "avg(other)", "columns.x"),
        ("ordering.by", "Now", "ordering.by"),
        ("ordering.lateArrival", "21d", "ordering.lateArrival"),
        ("ordering.lateArrival", None, "ordering.lateArrival"),
        ("ordering.outOfOrder", "10m", "ordering.outOfOrder"),
        ("ordering.onOutOfOrder", "Keep", "ordering.onOutOfOrder"),
        ("ordering.idleAfter", "0s", "ordering.idleAfter"),
        ("maxSensors", 0, "maxSensors"),
        ("maxSensors", True, "maxSensors"),
        ("colours", {}, "colours is not known"),
    ],
)
def test_settings_that_cannot_be_used_are_named(path: str, value: object, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(changed(path, value))
    assert said in str(caught.value)


def test_substreams_are_for_event_times() -> None:
    given = changed("mapping.over", ["Device"])
    given["ordering"] = {"by": "Arrival"}
    with pytest.raises(SettingsError, match=r"mapping\.over"):
        settings(given)
