import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.chunks import (
    SENSORS_LIMIT,
    SensorListError,
    SensorSet,
    check_names,
    divide,
    in_order,
    read_list,
)
from scoring_operator.contract import Output, shard_of
from scoring_operator.ranges import RangeSet

PER_SENSOR = Output("p/{sensor}")


def test_a_list_is_read_in_its_order_without_blank_lines_and_comments() -> None:
    listed = read_list("# plant 1\r\nb\n\n  a  \n#c\n", "ConfigMap fleet")
    assert listed.names == ("b", "a")
    assert listed.text() == "b\na\n"


def test_the_digest_is_of_the_pinned_text() -> None:
    assert SensorSet.of(["b", "a"]) == read_list("b\na", "x")
    assert SensorSet.of(["b", "a"]).sha256 != SensorSet.of(["a", "b"]).sha256


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "here: found no sensors; wanted at least one"),
        ("# only\n", "here: found no sensors"),
        ("a\n\nb c\n", "here, line 3: found 'b c'; wanted a sensor's name: 1 to 63"),
        ("a\nb\na\n", "here, line 3: found sensor a again, first in here, line 1; wanted each sensor once"),
        ("x" * 64, "here, line 1: found"),
        ("a\x0bb", "here, line 1: found 'a b'"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_by_line(text: str, words: str) -> None:
    with pytest.raises(SensorListError) as refused:
        read_list(text, "here")
    assert words in str(refused.value)


def test_more_sensors_than_a_status_holds_are_refused() -> None:
    with pytest.raises(SensorListError, match="more than 100000 sensors"):
        check_names(((str(n), f"s{n}") for n in range(SENSORS_LIMIT + 1)), "here")


@given(st.integers(1, 300), st.integers(1, 50))
def test_chunks_are_the_list_each_sensor_once(total: int, per_job: int) -> None:
    listed = SensorSet.of(f"s{number}" for number in range(total))
    divided = divide(in_order(listed, PER_SENSOR), PER_SENSOR, per_job)
    chunks = [divided[number] for number in range(len(divided))]
    assert [name for chunk in chunks for name in chunk.names] == list(listed.names)
    assert all(listed.names[chunk.first] == chunk.names[0] for chunk in chunks)
    assert all(len(chunk.names) == per_job for chunk in chunks[:-1])


# Shards


def sharded(shards: int) -> Output:
    return Output("p/{shard}", shards=shards)


def fleet(total: int) -> SensorSet:
    return SensorSet.of(f"s{number}" for number in range(total))


def test_the_pinned_list_is_ordered_by_shard_and_within_as_it_was() -> None:
    listed = in_order(fleet(200), sharded(16))
    order = [(shard_of(name, 16), int(name.removeprefix("s"))) for name in listed.names]
    assert order == sorted(order)
    assert in_order(fleet(200), PER_SENSOR) == fleet(200)


@given(st.integers(1, 400), st.integers(1, 64), st.integers(1, 120))
def test_a_chunk_holds_whole_shards_as_many_as_fit(total: int, shards: int, per_job: int) -> None:
    output = sharded(shards)
    listed = in_order(fleet(total), output)
    chunks = divide(listed, output, per_job)
    held = [{shard_of(name, shards) for name in chunks[n].names} for n in range(len(chunks))]
    assert [name for n in range(len(chunks)) for name in chunks[n].names] == list(listed.names)
    assert sum(map(len, held)) == len(set().union(*held))  # no shard in two chunks
    sizes = [len(chunks[n].names) for n in range(len(chunks))]
    assert all(size <= per_job or len(shard) == 1 for size, shard in zip(sizes, held, strict=True))
    for n in range(1, len(chunks)):  # one shard more would have been too many
        first = min(held[n])
        following = sum(shard_of(name, shards) == first for name in chunks[n].names)
        assert sizes[n - 1] + following > per_job


def test_chunks_follow_from_the_pinned_copy_alone() -> None:
    output = sharded(32)
    listed = in_order(fleet(500), output)
    copy = read_list(listed.text(), "the copy")
    assert copy == listed
    assert divide(copy, output, 50) == divide(listed, output, 50)


def test_a_shard_that_no_pod_can_hold_is_refused_with_what_to_set() -> None:
    output = sharded(2)
    with pytest.raises(SensorListError) as refused:
        divide(in_order(fleet(5000), output), output, 1000)
    words = str(refused.value)
    assert words.startswith("spec.output.shards: shard 0 of 2 has 2")
    assert words.endswith("of the 5000 sensors; wanted at most 1000, so at least 8 shards")
    divide(in_order(fleet(5000), sharded(8)), sharded(8), 1)


def test_as_many_sensors_as_a_run_may_have_fit_into_the_most_shards() -> None:
    output = sharded(512)
    chunks = divide(in_order(fleet(SENSORS_LIMIT), output), output, 1000)
    assert max(len(chunks[n].names) for n in range(len(chunks))) <= 1000


def test_a_copy_in_another_order_is_refused() -> None:
    output = sharded(16)
    backwards = SensorSet.of(reversed(in_order(fleet(100), output).names))
    with pytest.raises(SensorListError, match="wanted the list in the order of shards"):
        divide(backwards, output, 10)


def test_the_places_of_chunks_that_are_not_there_are_spans() -> None:
    chunks = divide(fleet(10), PER_SENSOR, 3)
    assert chunks.without(RangeSet.of([0, 2])).ranges() == "3-5,9"
    assert chunks.without(RangeSet.of([])).ranges() == "0-9"
    assert chunks.without(RangeSet.of(range(4))).ranges() == ""
