from datetime import UTC, datetime

import pytest

from scoring_operator.resource import ResourceError, parse_run
from scoring_operator.spec import SensorSource, Spec, allowed
from unit.operator.given import Json, a_run, run_body, spec_of


def test_a_run_is_read_with_times_in_utc() -> None:
    window = {"start": "2026-01-01T14:00:00+02:00", "end": "2026-01-01T13:00:00Z"}
    spec = spec_of(a_run(window=window, ttlSecondsAfterFinished=5))
    assert (spec.start, spec.end) == (
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 13, tzinfo=UTC),
    )
    assert (spec.ttl_seconds, spec.sensors) == (5, SensorSource(names=("a", "b", "c")))


@pytest.mark.parametrize(
    ("limit", "total", "number"), [(0, 100, 0), (7, 100, 7), ("5%", 100, 5), ("5%", 39, 1), ("100%", 3, 3)]
)
def test_a_percentage_is_of_all_sensors_rounded_down(limit: int | str, total: int, number: int) -> None:
    assert allowed(limit, total) == number


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output": {"path": "../{sensor}"}}, "spec.output.path '../{sensor}' holds the segment '..'"),
        ({"model": {"path": "models"}}, "spec.model.path 'models' has no {sensor}"),
        ({"window": {"start": "2026-01-01T12:00:00", "end": "2026-01-01T13:00:00Z"}}, "has no zone"),
        ({"sensors": {}}, "spec lacks 'configMapRef'"),
        ({"retry": None}, "is not understood"),
    ],
)
def test_a_spec_that_got_round_the_schema_is_a_sentence_and_no_error(change: Json, words: str) -> None:
    spec = a_run(**change).spec
    assert isinstance(spec, str)
    assert words in spec


def test_an_object_without_a_spec_is_a_sentence_too() -> None:
    body = run_body()
    del body["spec"]
    assert "spec lacks 'window'" in str(parse_run(body).spec)


@pytest.mark.parametrize(
    "status",
    [
        {"recorded": {"done": "5-1"}},
        {"conditions": [{"type": "Complete"}]},
        {"startTime": "soon"},
        {"rows": {"eaten": 1}},
        {"failures": [{}]},
    ],
)
def test_a_status_that_nobody_of_ours_wrote_is_not_guessed_at(status: Json) -> None:
    with pytest.raises(ResourceError):
        parse_run(run_body() | {"status": status})


def test_a_spec_is_whole() -> None:
    """Each field of the spec is read by somebody."""
    assert len(Spec.__dataclass_fields__) == 21


def test_a_status_of_an_operator_that_knew_one_stage_only_is_understood() -> None:
    pinned = {"total": 3, "sha256": "0", "configMap": "x"}
    old = {"phase": "Running", "startTime": "2026-01-01T13:00:10Z", "sensorSet": pinned}
    status = parse_run(run_body() | {"status": old}).status
    assert (status.stage, status.models_as_of) == ("Score", None)
    assert status.stopwatch.elapsed(datetime(2026, 1, 1, 13, 0, 40, tzinfo=UTC)) == 30
