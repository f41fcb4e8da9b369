"""What the demo makes of Prometheus' answers."""

from __future__ import annotations

import math

import pytest

from examples.demo import latency, latency_picture
from examples.demo.latency import Stage
from local.promql import Client, Sample

CUMULATIVE = {"0.1": 2.0, "1.0": 2.0, "2.5": 14.0, "+Inf": 15.0}
APART = ((0.1, 2), (1.0, 0), (2.5, 12), (math.inf, 1))


class Answers(Client):
    """A Prometheus that has one stage's buckets."""

    def __init__(self) -> None:
        super().__init__("http://nowhere")

    def query(self, expression: str) -> list[Sample]:
        if expression.startswith("histogram_quantile"):
            return [Sample({"stage": "total"}, 2.0)]
        return [Sample({"stage": "total", "le": bound}, count) for bound, count in CUMULATIVE.items()]


def test_buckets_are_told_apart() -> None:
    (stage,) = latency.stages(Answers(), 1.0, 2.0)
    assert stage == Stage("total", APART, (2.0, 2.0, 2.0))
    assert stage.jobs == 15


def test_what_is_not_scraped_in_time_is_shown_as_it_is() -> None:
    clock = iter([0.0, 1.0, 2.0 + latency.SCRAPED_SECONDS])
    (stage,) = latency.when_scraped(Answers(), 16, 0.0, lambda: next(clock))
    assert stage.jobs == 15


def test_growth_is_exact_and_begins_at_nothing_where_nothing_was() -> None:
    promql = latency.during(10.0, 20.5)
    assert "@ 20.500" in promql
    assert " or 0 * " in promql


@pytest.mark.parametrize(
    ("value", "words"), [(0.0042, "4 ms"), (0.999, "999 ms"), (2.34, "2.3 s"), (math.nan, "-")]
)
def test_seconds_are_told_in_the_unit_that_fits(value: float, words: str) -> None:
    assert latency.seconds(value) == words


def test_the_table_has_a_line_a_stage() -> None:
    assert latency.table([Stage("total", APART, (2.0, 2.4, 2.5))])[1].split() == [
        *("total", "15", "2.0", "s", "2.4", "s", "2.5", "s")
    ]


def test_the_picture_shows_the_buckets_from_the_first_to_the_last_in_use() -> None:
    early = Stage("read", ((0.1, 0), (1.0, 3), (2.5, 0), (math.inf, 0)), (0.5, 0.9, 0.9))
    late = Stage("total", ((0.1, 0), (1.0, 0), (2.5, 3), (math.inf, 0)), (2.0, 2.4, 2.4))
    assert latency_picture.used([early, late]) == [1.0, 2.5]
    latency_picture.figure_of([early, late], "a run")
