import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_operator.chunks import (
    SENSORS_LIMIT,
    SensorListError,
    SensorSet,
    check_names,
    chunk_count,
    chunk_of,
    read_list,
)


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
    chunks = [chunk_of(listed, number, per_job) for number in range(chunk_count(total, per_job))]
    assert [name for chunk in chunks for name in chunk.names] == list(listed.names)
    assert all(listed.names[chunk.first] == chunk.names[0] for chunk in chunks)
    assert all(len(chunk.names) == per_job for chunk in chunks[:-1])
