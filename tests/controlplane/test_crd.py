"""What the real API server says to ScoringRuns: valid ones, wrong ones, and changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controlplane.conftest import RUNS, Runs, manifest
from local.api import Api, ApiError
from scoring_operator.contract import Rows
from scoring_operator.histogram import Histogram
from scoring_operator.ranges import RangeSet
from scoring_operator.resource import Spec, parse_run
from scoring_operator.status import Failure, Pinned, Status, of_api, to_api

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
WINDOW = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"}


def dry_run(api: Api, body: Json) -> Json:
    path = f"{RUNS}/namespaces/default/scoringruns?dryRun=All&fieldValidation=Strict"
    made: Json = api.call("POST", path, body)
    return made


def test_defaults_make_a_whole_spec(api: Api) -> None:
    made = dry_run(api, manifest())
    assert made["spec"] == {
        "window": WINDOW,
        "sensors": {"names": ["a", "b", "c"]},
        "store": "default",
        "runtime": "default",
        "model": {"path": "models/{sensor}"},
        "readings": {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "output": {"path": "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "sensorsPerJob": 1,
        "parallelism": 100,
        "suspend": False,
        "retry": {"backoffLimit": 2},
        "timeouts": {"perAttemptSeconds": 300},
        "failurePolicy": {"maxFailedSensors": 0, "onMissingReadings": "Skip", "onMissingModel": "Skip"},
        "jobTTLSecondsAfterFinished": 900,
    }


@pytest.mark.parametrize(
    "spec",
    [
        {"window": {"start": "2026-01-01T14:00:00+02:00", "end": "2026-01-01T13:00:00Z"}},
        {"window": {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}},
        {"sensors": {"configMapRef": {"name": "sensors"}}},
        {"sensors": {"names": [f"{'x' * 57}-{number:05d}" for number in range(1000)]}},
        {"sensors": {"names": ["a..b", "A_1.x-y", "0"]}},
        {"failurePolicy": {"maxFailedSensors": "100%"}},
        {"failurePolicy": {"maxFailedSensors": 1000000}},
        {"output": {"path": "a..b/{sensor}/{yyyy}{MM}{dd}T{HH}.parquet"}},
        {"readings": {"path": "all.parquet"}},
        {"parallelism": 0, "ttlSecondsAfterFinished": 0, "jobTTLSecondsAfterFinished": 60},
    ],
)
def test_valid_specs_are_taken_and_understood(api: Api, spec: Json) -> None:
    made = dry_run(api, manifest(**spec))
    made["metadata"] |= {"resourceVersion": "1"}
    assert isinstance(parse_run(made).spec, Spec)


WRONG = [
    (
        {"window": {"start": "2026-01-01T13:00:00Z", "end": "2026-01-01T13:00:00Z"}},
        "spec.window",
        "start < end",
    ),
    ({"window": {"start": "2026-01-01T13:00:00Z", "end": "2027-01-03T13:00:00Z"}}, "spec.window", "366 days"),
    ({"window": {"start": "yesterday", "end": "2026-01-01T13:00:00Z"}}, "spec.window.start", "date-time"),
    ({"window": {**WINDOW, "start": "2026-01-01T12:00:00"}}, "spec.window.start", "date-time"),
    ({"window": {**WINDOW, "start": "2026-01-01T12:00:00.5Z"}}, "spec.window.start", "whole seconds"),
    ({"window": {"start": WINDOW["start"]}}, "spec.window.end", "Required"),
    ({"sensors": {}}, "spec.sensors", "found neither names nor configMapRef; wanted exactly one"),
    ({"sensors": {"names": ["a"], "configMapRef": {"name": "x"}}}, "spec.sensors", "found both"),
    ({"sensors": {"names": []}}, "spec.sensors.names", "at least 1"),
    ({"sensors": {"names": ["a", "b", "a"]}}, "spec.sensors.names[2]", 'Duplicate value: "a"'),
    (
        {"sensors": {"names": ["a/b"]}},
        "spec.sensors.names[0]",
        '"a/b": is not a sensor\'s name; wanted letters',
    ),
    ({"sensors": {"names": ["-a"]}}, "spec.sensors.names[0]", "is not a sensor's name"),
    ({"sensors": {"names": [""]}}, "spec.sensors.names[0]", "is not a sensor's name"),
    ({"sensors": {"names": ["x" * 64]}}, "spec.sensors.names[0]", "63"),
    ({"sensors": {"names": [f"s{n}" for n in range(1001)]}}, "spec.sensors.names", "at most 1000"),
    ({"sensors": {"configMapRef": {"name": "X"}}}, "spec.sensors.configMapRef.name", "should match"),
    (
        {"sensors": {"configMapRef": {"name": "x", "key": "a b"}}},
        "spec.sensors.configMapRef.key",
        "should match",
    ),
    ({"store": "A b"}, "spec.store", "should match"),
    ({"runtime": ""}, "spec.runtime", "at least 1"),
    ({"model": {"path": ""}}, "spec.model.path", "has no {sensor}"),
    ({"model": {"path": "models"}}, "spec.model.path", "has no {sensor}"),
    ({"model": {"path": "models/{yyyy}/{sensor}"}}, "spec.model.path", "wanted {sensor} only"),
    ({"output": {"path": "predictions/{yyyy}.parquet"}}, "spec.output.path", "has no {sensor}"),
    ({"output": {"path": "p/{tag}/{sensor}.parquet"}}, "spec.output.path", "wanted only {sensor} {yyyy}"),
    ({"output": {"path": "/p/{sensor}"}}, "spec.output.path", "begins with /"),
    ({"output": {"path": "a/../{sensor}"}}, "spec.output.path", '".."'),
    ({"output": {"path": "./{sensor}"}}, "spec.output.path", '"."'),
    ({"output": {"path": "a//{sensor}"}}, "spec.output.path", "empty segment"),
    ({"output": {"path": "{sensor}/"}}, "spec.output.path", "empty segment"),
    ({"output": {"path": "a\\{sensor}"}}, "spec.output.path", "backslash"),
    ({"output": {"path": "x" * 510 + "{sensor}"}}, "spec.output.path", "512"),
    ({"readings": {"path": "a/{sensor"}}, "spec.readings.path", "token or a brace"),
    ({"readings": {"path": "a/}{sensor}"}}, "spec.readings.path", "token or a brace"),
    ({"readings": {"path": "a/\n{sensor}"}}, "spec.readings.path", "control character"),
    ({"sensorsPerJob": 0}, "spec.sensorsPerJob", "greater than or equal to 1"),
    ({"sensorsPerJob": 1001}, "spec.sensorsPerJob", "less than or equal to 1000"),
    ({"parallelism": -1}, "spec.parallelism", "greater than or equal to 0"),
    ({"parallelism": 2001}, "spec.parallelism", "less than or equal to 2000"),
    ({"suspend": "yes"}, "spec.suspend", "boolean"),
    ({"retry": {"backoffLimit": 11}}, "spec.retry.backoffLimit", "less than or equal to 10"),
    ({"timeouts": {"perAttemptSeconds": 0}}, "spec.timeouts.perAttemptSeconds", "greater than or equal to 1"),
    ({"failurePolicy": {"maxFailedSensors": -1}}, "spec.failurePolicy.maxFailedSensors", "percentage"),
    ({"failurePolicy": {"maxFailedSensors": "5"}}, "spec.failurePolicy.maxFailedSensors", "percentage"),
    ({"failurePolicy": {"maxFailedSensors": "101%"}}, "spec.failurePolicy.maxFailedSensors", "percentage"),
    ({"failurePolicy": {"onMissingModel": "Ignore"}}, "spec.failurePolicy.onMissingModel", '"Skip", "Fail"'),
    ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished", "greater than or equal to 0"),
    ({"jobTTLSecondsAfterFinished": 59}, "spec.jobTTLSecondsAfterFinished", "greater than or equal to 60"),
    ({"sensorsPerjob": 5}, "spec.sensorsPerjob", "unknown field"),
]


@pytest.mark.parametrize(("spec", "field", "words"), WRONG, ids=[f"{f}: {w}"[:60] for _, f, w in WRONG])
def test_a_wrong_spec_is_refused_by_field(api: Api, spec: Json, field: str, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        dry_run(api, manifest(**spec))
    assert refused.value.status in (400, 422)
    assert field in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["a.b", "x" * 64])
def test_a_name_that_is_no_label_is_refused(api: Api, name: str) -> None:
    with pytest.raises(ApiError, match=r"metadata\.name"):
        dry_run(api, manifest(name))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window", {"end": "2026-01-01T14:00:00Z"}),
        ("sensors", {"names": ["a", "b"]}),
        ("sensors", {"names": None, "configMapRef": {"name": "other"}}),
        ("store", "other"),
        ("runtime", "other"),
        ("model", {"path": "other/{sensor}"}),
        ("readings", {"path": "other/{sensor}"}),
        ("output", {"path": "other/{sensor}"}),
        ("sensorsPerJob", 2),
        ("retry", {"backoffLimit": 5}),
        ("timeouts", {"perAttemptSeconds": 5}),
        ("failurePolicy", {"maxFailedSensors": 5}),
        ("failurePolicy", {"onMissingModel": "Fail"}),
        ("jobTTLSecondsAfterFinished", 5000),
    ],
)
def test_the_spec_cannot_be_changed(runs: Runs, field: str, value: Any) -> None:
    runs.create()
    with pytest.raises(ApiError, match=rf"spec\.{field}\b.*immutable"):
        runs.patch({field: value})


def test_a_field_that_was_set_cannot_be_taken_away(runs: Runs) -> None:
    """Taking it away brings the default back, which is a change like any other."""
    set_before: Json = {
        "store": "other",
        "runtime": "other",
        "model": {"path": "m/{sensor}"},
        "readings": {"path": "r/{sensor}"},
        "output": {"path": "o/{sensor}"},
        "sensorsPerJob": 2,
        "retry": {"backoffLimit": 5},
        "timeouts": {"perAttemptSeconds": 5},
        "failurePolicy": {"maxFailedSensors": 5},
        "jobTTLSecondsAfterFinished": 5000,
    }
    runs.create(**set_before)
    for field in set_before:
        with pytest.raises(ApiError, match=rf"spec\.{field}\b.*immutable"):
            runs.patch({field: None})


def test_what_is_mutable_can_be_set_changed_and_taken_away(runs: Runs) -> None:
    runs.create()
    for change in (
        {"sensors": {"names": ["b", "a", "c"]}},  # the same set
        {"suspend": True},
        {"parallelism": 0},
        {"ttlSecondsAfterFinished": 60},
        {"ttlSecondsAfterFinished": 90, "suspend": None},
        {"ttlSecondsAfterFinished": None, "parallelism": None},
    ):
        runs.patch(change)
    spec = runs.get()["spec"]
    assert (spec["suspend"], spec["parallelism"], "ttlSecondsAfterFinished" in spec) == (False, 100, False)


def test_nothing_of_the_status_is_pruned_or_refused(api: Api, runs: Runs) -> None:
    """What the schema does not know is dropped in silence: the largest status must come back whole."""
    runs.create()
    now = datetime(2026, 1, 1, 13, 0, 9, tzinfo=UTC)
    many = RangeSet.of(range(0, 100_000, 2))
    sentence = "x" * 256
    status = Status(
        observed_generation=1,
        phase="Failed",
        start=now,
        completion=now,
        scored=1,
        skipped=2,
        failed=50_000,
        jobs=100_000,
        active_jobs=4,
        retried_jobs=5,
        done=many,
        failed_sensors=many,
        incarnations=dict.fromkeys(range(2000), 2),
        failures=tuple(Failure("s" * 63, n, "Failed", "R" * 64, sentence, "j" * 63) for n in range(50)),
        reasons={f"Failed/{'R' * n}": n for n in range(1, 65)},
        rows=Rows(2**56, 2**56, 0, 0),
        anomalies=2**56,
        latency={stage: Histogram().observe(2**50) for stage in ("pending", "start", "total")},
        pinned=Pinned(100_000, "0" * 64, "hourly-sensors-abcdefgh"),
    )
    for kind in ("Complete", "Failed", "Suspended", "Blocked"):
        status = status.having(kind, True, "Reason", "m" * 2000, now, 1)
    body = to_api(status)
    patch = {"status": body}
    path = f"{RUNS}/namespaces/{runs.namespace}/scoringruns/hourly/status"
    written = api.call("PATCH", path, patch, "application/merge-patch+json")["status"]
    assert written == body
    assert of_api(written) == replace(status, incarnations=dict(sorted(status.incarnations.items())))
