"""What ingest serves: the series of its catalogue, and each event in one of the fates."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families as families

from scorer.ingest.accounting import Counts
from scorer.ingest.measures import Measures
from scorer.ingest.partition import Done
from scorer.ingest.series import CATALOGUE, FATES

COUNTS = Counts(
    messages=50,
    missed=3,
    events=103,
    windowed=60,
    corrected=2,
    before_start=1,
    late=7,
    early=5,
    out_of_order=4,
    bad=15,
    duplicate=9,
    late_adjusted=2,
    out_of_order_adjusted=1,
)


def served(measures: Measures) -> dict[str, float]:
    """All samples, by name and labels as they stand there."""
    lines = [line.rsplit(" ", 1) for line in measures.text().decode().splitlines() if line[0] != "#"]
    return {name.removeprefix("sensorscore_ingest_"): float(value) for name, value in lines}


def test_each_series_of_the_catalogue_is_served_from_the_beginning_and_no_other() -> None:
    text = Measures().text().decode()
    kinds = dict(re.findall(r"^# TYPE (sensorscore_\S+) (\w+)$", text, re.MULTILINE))
    assert kinds == {name: series.kind for name, series in CATALOGUE.items()}
    assert {f'events_total{{fate="{fate}"}}' for fate in FATES} <= served(Measures()).keys()
    others = {family.name for family in families(text) if not family.name.startswith("sensorscore_")}
    assert others
    assert all(name.startswith("process_") for name in others)


def test_fates_add_up_to_the_events_that_were_read() -> None:
    measures = Measures()
    assert COUNTS.adds_up
    measures.committed(Done(COUNTS, readings=20, unusable=6, stray=1))
    found = served(measures)
    fates = {fate: found[f'events_total{{fate="{fate}"}}'] for fate in FATES}
    assert fates == {
        "windowed": 60,
        "corrected": 2,
        "before_start": 1,
        "late": 7,
        "early": 5,
        "out_of_order": 4,
        "bad": 9,
        "conversion": 6,
        "duplicate": 9,
    }
    assert sum(fates.values()) == found["input_events_total"] == 103
    assert found["late_events_total"] == 9


def test_of_several_partitions_the_one_furthest_behind_counts() -> None:
    measures = Measures(late=5.0, began=1_000.0)
    measures.watermarks([3.0, 40.0, 7.0])
    found = served(measures)
    assert found["watermark_delay_seconds"] == 40
    assert found["partitions"] == 3
    assert found["late_arrival_seconds"] == 5


def test_until_an_hour_has_landed_the_process_beginning_stands_for_it() -> None:
    measures = Measures(began=1_000.0)
    assert served(measures)["landed_until_timestamp_seconds"] == 1_000
    measures.landed_until(7_200.0)
    assert served(measures)["landed_until_timestamp_seconds"] == 7_200
