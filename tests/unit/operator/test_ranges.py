import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.ranges import RangeSet

NUMBERS = st.sets(st.integers(0, 3000), max_size=300)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([0], "0"),
        ([4, 3, 3, 2, 0], "0,2-4"),
        (range(100), "0-99"),
        ([0, 1, 2, 3, 4, 7], "0-4,7"),
    ],
)
def test_text_is_ranges(numbers: list[int], text: str) -> None:
    assert RangeSet.of(numbers).text() == text
    assert RangeSet.parse(text) == RangeSet.of(numbers)


def test_text_is_a_bitmap_when_that_is_shorter() -> None:
    alternating = RangeSet.of(range(0, 100_000, 2))
    assert alternating.text().startswith("b64:")
    assert len(alternating.text()) < 17_000
    assert RangeSet.parse(alternating.text()) == alternating


@given(NUMBERS, NUMBERS)
def test_it_is_a_set(first: set[int], second: set[int]) -> None:
    ours = RangeSet.of(first)
    assert list(ours) == sorted(first)
    assert len(ours) == len(first)
    assert all((number in ours) == (number in first) for number in range(-1, 3002))
    assert ours.union(second) == RangeSet.of(first | second)
    assert list(ours.missing(3001)) == sorted(set(range(3001)) - first)
    assert RangeSet.parse(ours.text()) == ours


@given(st.text(max_size=60))
def test_hostile_text_is_refused_or_read_never_worse(text: str) -> None:
    try:
        RangeSet.parse(text)
    except ValueError:
        return


REFUSED = [
    *("a", "1-", "-1", "3-1", "1,1", "2,1", "1,2", "1 ", "\u0661"),
    "0-99999999",
    "b64:%",
    "b64:" + "A" * 400_000,
]


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_text_cannot_have_made_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RangeSet.parse(text)
