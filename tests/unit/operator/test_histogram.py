from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.histogram import BOUNDS, Histogram


def test_a_value_on_a_bound_belongs_below_it_as_in_prometheus() -> None:
    assert Histogram().observe(10).buckets[0] == 1
    assert Histogram().observe(11).buckets[1] == 1
    assert Histogram().observe(10_000_000).buckets[len(BOUNDS)] == 1


@given(st.lists(st.integers(0, 10_000_000)))
def test_sums_and_counts_agree_and_survive_a_status(values: list[int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram = histogram.observe(value)
    assert histogram.count == sum(histogram.buckets) == len(values)
    assert histogram.sum_ms == sum(values)
    assert Histogram.of_status(histogram.as_status()) == histogram


def test_another_versions_buckets_begin_anew() -> None:
    assert Histogram.of_status({"buckets": ",".join(["1"] * 40), "sumMs": 3, "count": 3}) == Histogram()
