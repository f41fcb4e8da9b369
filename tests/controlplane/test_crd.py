"""What the real API server says to ScoringRuns: valid ones, wrong ones, and changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contract_vectors import vectors
from controlplane.conftest import RUNS, Runs, manifest
from local.api import Api, ApiError
from scoring_operator.contract import Guard, Published, Rows, Sample
from scoring_operator.histogram import Histogram
from scoring_operator.ranges import RangeSet
from scoring_operator.resource import parse_run
from scoring_operator.spec import Spec
from scoring_operator.status import Cost, Failure, Pinned, Status, Stopwatch, Verdict
from scoring_operator.status_json import of_api, to_api

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
CAPTURED = "{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
WINDOW = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"}
MINUTES = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:59:59Z"}
DAY = {"start": "2026-01-01T06:00:00Z", "end": "2026-01-02T06:00:00Z"}
FOUR_WEEKS = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-29T00:00:00Z"}
FEBRUARY = {"start": "2026-02-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
YEAR = {"start": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}


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
        "model": {"path": "models/{sensor}", "version": "Current"},
        "readings": {
            "path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet",
            "format": "Auto",
            "layout": "hourly",
            "columns": {"time": "time", "sensor": "sensor"},
            "timeZone": "UTC",
            "ambiguousTimes": "Reject",
        },
        "output": {"format": "Parquet", "layout": "PerSensor"},
        "sensorsPerJob": 1,
        "parallelism": 100,
        "suspend": False,
        "concurrencyPolicy": "Allow",
        "priority": 0,
        "retry": {"backoffLimit": 2},
        "timeouts": {"perAttemptSeconds": 300, "prepareSeconds": 600, "publishSeconds": 600},
        "failurePolicy": {
            "maxFailedSensors": 0,
            "onExceeded": "Continue",
            "onMissingReadings": "Skip",
            "onMissingModel": "Skip",
        },
        "jobTTLSecondsAfterFinished": 900,
    }


def test_the_operators_own_defaults_are_the_schemas(api: Api) -> None:
    """A run that was stored before a field was there is read as if it had the field's default."""
    made = dry_run(api, manifest())
    made["metadata"] |= {"resourceVersion": "1"}
    bare = made | {"spec": made["spec"] | {"model": {"path": "models/{sensor}"}}}
    bare["spec"] = bare["spec"] | {
        "readings": {"path": made["spec"]["readings"]["path"]},
        "output": {"path": "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "timeouts": {"perAttemptSeconds": 300},
        "failurePolicy": {"maxFailedSensors": 0, "onMissingReadings": "Skip", "onMissingModel": "Skip"},
    }
    del bare["spec"]["concurrencyPolicy"], bare["spec"]["priority"]
    assert parse_run(bare).spec == parse_run(made).spec


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
        {"output": {"layout": "Sharded", "shards": 16}},
        {"output": {"layout": "Sharded"}},
        {"output": {"path": "evaluation/{sensor}.csv", "format": "CSV", "allowOverwrite": True}},
        {"window": DAY, "output": {"path": "p/{yyyy}/{MM}/{dd}/{sensor}"}},
        {"window": FEBRUARY, "output": {"path": "p/{yyyy}-{MM}/{sensor}"}},
        {"window": YEAR, "output": {"path": "p/{yyyy}/{sensor}"}},
        {"window": MINUTES, "output": {"allowOverwrite": True}},
        {"model": {"version": "AsOfWindowEnd"}},
        {"model": {"version": "20260101T000000Z-0123abcd"}},
        {"readings": {"path": "r/{yyyy}/{MM}/{dd}/{HH}/*.csv.gz", "format": "CSV", "layout": "asa"}},
        {"readings": {"path": CAPTURED, "layout": "capture", "format": "JSON", "lateSeconds": 0}},
        {"readings": {"columns": {"sensor": "device-{Device}-tag-{Tag}", "features": {"value": "Value"}}}},
        {"readings": {"timeZone": "Europe/Berlin", "ambiguousTimes": "Later"}},
        {"concurrencyGroup": "hourly", "concurrencyPolicy": "Queue"},
        {"timeouts": {"pendingSeconds": 600, "runSeconds": 3000, "publishSeconds": 60}},
        {"failurePolicy": {"maxSkippedSensors": "90%", "onExceeded": "StopNew"}},
        {"sensors": {"failedOf": {"name": "hourly", "uid": "6f0c1a2e-0000-4000-8000-000000000001"}}},
        {"sensors": {"table": {"path": "tables/fleet 1.csv.gz"}}},
        {"sensors": {"table": {"path": "fleet.csv"}, "only": {"path": "r/2026/01/01/12/_corrected.csv"}}},
        {"sensors": {"discover": {"from": "Models"}, "only": {"path": "changed.parquet"}}},
        {"sensors": {"discover": {"from": "Readings", "prefix": "device-1."}}},
        {"sensors": {"discover": {"from": "Models"}}, "readings": {"path": "asa/{HH}/*.csv"}},
        {"readings": {"waitFor": {"timeoutSeconds": 79200}}, "timeouts": {"prepareSeconds": 7200}},
        {"readings": {"waitFor": {"timeoutSeconds": 1, "marker": "x/{HH}/*.csv", "onTimeout": "Fail"}}},
        {"template": {"resources": {"requests": {"cpu": 1, "memory": "1.5Gi"}}, "priorityClassName": "x"}},
        {"template": {"labels": {"team": "a", "acme.com/x": ""}, "env": [{"name": "PARAM_X"}]}},
        {"readings": {"path": "all.parquet"}},
        {"parallelism": 0, "ttlSecondsAfterFinished": 0, "jobTTLSecondsAfterFinished": 60},
        {"priority": -1000, "ttlSecondsAfterFailed": 0},
        {"priority": 1000, "ttlSecondsAfterFinished": 60, "ttlSecondsAfterFailed": 31536000},
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
    ({"sensors": {}}, "spec.sensors", "found none of names, configMapRef, table"),
    ({"sensors": {"table": {"path": "t"}, "discover": {"from": "Models"}}}, "spec.sensors", "more than one"),
    ({"sensors": {"table": {}}}, "spec.sensors.table.path", "Required"),
    ({"sensors": {"table": {"path": "../t.csv"}}}, "spec.sensors.table.path", '".."'),
    ({"sensors": {"table": {"path": "t/{HH}.csv"}}}, "spec.sensors.table.path", "token or a brace"),
    ({"sensors": {"table": {"path": "t/*.csv"}}}, "spec.sensors.table.path", "holds *"),
    ({"sensors": {"discover": {"from": "Tables"}}}, "spec.sensors.discover.from", '"Readings", "Models"'),
    (
        {"sensors": {"discover": {"from": "Models", "prefix": "a/"}}},
        "sensors.discover.prefix",
        "should match",
    ),
    (
        {"sensors": {"discover": {"from": "Readings"}}, "readings": {"path": "asa/{HH}/*.csv"}},
        "spec.sensors.discover",
        "readings.path has no {sensor}",
    ),
    ({"readings": {"path": CAPTURED}}, "spec.readings.path", "not known"),
    (
        {"readings": {"path": f"{CAPTURED}*", "layout": "capture"}},
        "spec.readings.path",
        "Capture's paths have not",
    ),
    ({"readings": {"path": CAPTURED[:-9], "layout": "capture"}}, "spec.readings.path", "part of the time"),
    (
        {"readings": {"path": CAPTURED, "layout": "capture", "format": "Parquet"}},
        "spec.readings.format",
        "bodies",
    ),
    ({"readings": {"lateSeconds": 1}}, "spec.readings.lateSeconds", "without the layout capture"),
    ({"readings": {"waitFor": {}}}, "spec.readings.waitFor.timeoutSeconds", "Required"),
    ({"readings": {"waitFor": {"timeoutSeconds": 0}}}, "spec.readings.waitFor.timeoutSeconds", "to 1"),
    (
        {"readings": {"waitFor": {"timeoutSeconds": 9, "marker": "r/{sensor}"}}},
        "spec.readings.waitFor.marker",
        "a marker is of all sensors",
    ),
    (
        {"readings": {"waitFor": {"timeoutSeconds": 9, "onTimeout": "Skip"}}},
        "spec.readings.waitFor.onTimeout",
        '"Score", "Fail"',
    ),
    ({"sensors": {"names": ["a"], "configMapRef": {"name": "x"}}}, "spec.sensors", "found more than one"),
    ({"sensors": {"names": ["a"], "failedOf": {"name": "x", "uid": "y"}}}, "spec.sensors", "more than one"),
    ({"sensors": {"failedOf": {"name": "x"}}}, "spec.sensors.failedOf.uid", "Required"),
    ({"sensors": {"names": ["a"], "only": {"path": "x"}}}, "spec.sensors.only", "without table or discover"),
    ({"sensors": {"only": {"path": "x"}}}, "spec.sensors", "found none of"),
    (
        {"sensors": {"table": {"path": "x"}, "only": {"path": "{HH}.csv"}}},
        "spec.sensors.only.path",
        "a token or a brace",
    ),
    (
        {"sensors": {"table": {"path": "x"}, "only": {"path": "../x.csv"}}},
        "spec.sensors.only.path",
        "empty segment",
    ),
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
    ({"model": {"path": "m/*/{sensor}"}}, "spec.model.path", "holds *"),
    ({"output": {"path": "p/*/{sensor}"}}, "spec.output.path", "holds *"),
    ({"readings": {"path": "r/*.*.csv"}}, "spec.readings.path", "holds * in a folder or twice"),
    ({"readings": {"path": "r/{shard}.csv"}}, "spec.readings.path", "token or a brace"),
    ({"readings": {"timeZone": "Europe/Berln"}}, "spec.readings.timeZone", "unknown time zone Europe/Berln"),
    ({"readings": {"timeZone": "Local"}}, "spec.readings.timeZone", "wanted an IANA name"),
    ({"readings": {"ambiguousTimes": "Guess"}}, "spec.readings.ambiguousTimes", '"Reject", "Earlier"'),
    ({"readings": {"columns": {"time": ""}}}, "spec.readings.columns.time", "at least 1"),
    ({"readings": {"columns": {"sensor": "a\nb"}}}, "spec.readings.columns.sensor", "should match"),
    (
        {"readings": {"columns": {"features": {"x" * 4000: "y" * 253, "z" * 4000: "y"}}}},
        "columns.features",
        "8192",
    ),
    ({"output": {"path": "p/{sensor}"}}, "spec.output.path", "has no date token: each window"),
    ({"output": {"path": "p/{HH}/{sensor}"}}, "spec.output.path", "without the coarser ones"),
    ({"output": {"path": "p/{yyyy}/{dd}/{HH}/{sensor}"}}, "spec.output.path", "without the coarser ones"),
    ({"output": {"path": "p/{yyyy}/{MM}/{dd}/{sensor}"}}, "spec.output.path", "too coarse date tokens"),
    ({"window": DAY, "output": {"path": "p/{yyyy}/{MM}/{sensor}"}}, "spec.output.path", "too coarse"),
    ({"window": FOUR_WEEKS, "output": {"path": "p/{yyyy}/{MM}/{sensor}"}}, "spec.output.path", "too coarse"),
    ({"window": MINUTES}, "spec.output.path", "too coarse date tokens"),
    ({"output": {"layout": "Sharded", "path": "p/{yyyy}/{shard}"}}, "spec.output.path", "too coarse"),
    ({"output": {"layout": "Sharded", "allowOverwrite": True}}, "spec.output.allowOverwrite", "PerSensor"),
    ({"output": {"path": "p/{shard}/{sensor}"}}, "spec.output.path", "holds {shard}; wanted it only with"),
    ({"concurrencyPolicy": "Queue"}, "spec.concurrencyPolicy", "wanted concurrencyGroup too"),
    ({"concurrencyGroup": "A"}, "spec.concurrencyGroup", "should match"),
    ({"timeouts": {"publishSeconds": 0}}, "spec.timeouts.publishSeconds", "greater than or equal to 1"),
    ({"timeouts": {"pendingSeconds": 9}}, "spec.timeouts.pendingSeconds", "greater than or equal to 10"),
    ({"timeouts": {"runSeconds": 0}}, "spec.timeouts.runSeconds", "greater than or equal to 1"),
    ({"failurePolicy": {"maxSkippedSensors": "x"}}, "spec.failurePolicy.maxSkippedSensors", "percentage"),
    ({"failurePolicy": {"onExceeded": "Stop"}}, "spec.failurePolicy.onExceeded", '"Continue", "StopNew"'),
    ({"template": {"labels": {"sensorscore.dev/run": "x"}}}, "spec.template.labels", "reserved"),
    ({"template": {"labels": {"batch.kubernetes.io/x": "x"}}}, "spec.template.labels", "reserved"),
    ({"template": {"labels": {"job-name": "x"}}}, "spec.template.labels", "reserved"),
    ({"template": {"labels": {"a b": "x"}}}, "spec.template.labels", "has a key that is none"),
    (
        {"template": {"annotations": {"karpenter.sh/do-not-disrupt": ""}}},
        "spec.template.annotations",
        "reserved",
    ),
    ({"template": {"env": [{"name": "path"}]}}, "spec.template.env[0].name", "should match"),
    ({"template": {"env": [{"name": "A"}, {"name": "A"}]}}, "spec.template.env[1]", "Duplicate"),
    (
        {"template": {"resources": {"limits": {"cpu": "much"}}}},
        "spec.template.resources.limits.cpu",
        "should match",
    ),
    ({"template": {"image": "x"}}, "spec.template.image", "unknown field"),
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
    ({"ttlSecondsAfterFailed": -1}, "spec.ttlSecondsAfterFailed", "greater than or equal to 0"),
    ({"priority": 1001}, "spec.priority", "less than or equal to 1000"),
    ({"priority": -1001}, "spec.priority", "greater than or equal to -1000"),
    ({"priority": "high"}, "spec.priority", "integer"),
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


def about_the_spec(case: Json) -> bool:
    """Whether what is wrong with a work order can be wrong with a ScoringRun's spec."""
    change = case.get("change", {})
    return bool(change.keys() & {"model", "readings", "output"}) and "at" not in change.get("model", {})


@pytest.mark.parametrize(
    "case",
    [case for case in vectors("work_orders")["refused"] if about_the_spec(case)],
    ids=lambda case: case["name"],
)
def test_what_pods_would_refuse_is_refused_before(api: Api, case: Json) -> None:
    with pytest.raises(ApiError) as refused:
        dry_run(api, manifest(**case["change"]))
    assert f"spec.{case['names']}" in str(refused.value)


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
        ("output", {"path": "other/{yyyy}/{MM}/{dd}/{HH}/{sensor}"}),
        ("output", {"format": "CSV"}),
        ("model", {"version": "AsOfWindowEnd"}),
        ("readings", {"columns": {"features": {"value": "Value"}}}),
        ("concurrencyGroup", "other"),
        ("concurrencyPolicy", "Allow"),
        ("priority", 5),
        ("template", {"priorityClassName": "high"}),
        ("timeouts", {"runSeconds": 60}),
        ("failurePolicy", {"maxSkippedSensors": 5}),
        ("sensorsPerJob", 2),
        ("retry", {"backoffLimit": 5}),
        ("timeouts", {"perAttemptSeconds": 5}),
        ("failurePolicy", {"maxFailedSensors": 5}),
        ("failurePolicy", {"onMissingModel": "Fail"}),
        ("jobTTLSecondsAfterFinished", 5000),
    ],
)
def test_the_spec_cannot_be_changed(runs: Runs, field: str, value: Any) -> None:
    set_before: Json = {"concurrencyGroup": "hourly", "concurrencyPolicy": "Queue"}
    runs.create(**set_before if field.startswith("concurrency") else {})
    with pytest.raises(ApiError, match=rf"spec\.{field}\b.*immutable"):
        runs.patch({field: value})


def test_a_field_that_was_set_cannot_be_taken_away(runs: Runs) -> None:
    """Taking it away brings the default back, which is a change like any other."""
    set_before: Json = {
        "store": "other",
        "runtime": "other",
        "model": {"path": "m/{sensor}"},
        "readings": {"path": "r/{sensor}"},
        "output": {"path": "o/{sensor}", "allowOverwrite": True},
        "concurrencyGroup": "hourly",
        "concurrencyPolicy": "Queue",
        "priority": 5,
        "template": {"priorityClassName": "high"},
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
        {"ttlSecondsAfterFailed": 60},
        {"ttlSecondsAfterFailed": 90},
        {"ttlSecondsAfterFinished": None, "ttlSecondsAfterFailed": None, "parallelism": None},
    ):
        runs.patch(change)
    spec = runs.get()["spec"]
    assert (spec["suspend"], spec["parallelism"]) == (False, 100)
    assert not {"ttlSecondsAfterFinished", "ttlSecondsAfterFailed"} & spec.keys()


def test_nothing_of_the_status_is_pruned_or_refused(api: Api, runs: Runs) -> None:
    """What the schema does not know is dropped in silence: a status with all of it must come back whole.

    It is as large as may be written; of a larger one the operator leaves failures out itself.
    """
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
        incarnations=dict.fromkeys(range(100), 2),
        failures=tuple(Failure("s" * 63, n, "Failed", "R" * 64, sentence, "j" * 63) for n in range(10)),
        reasons={f"Failed/{'R' * n}": n for n in range(1, 65)},
        rows=Rows(2**56, 2**56, 0, 0),
        anomalies=2**56,
        latency={stage: Histogram().observe(2**50) for stage in ("pending", "start", "total")},
        pinned=Pinned(100_000, "0" * 64, "hourly-sensors-abcdefgh"),
        stage="Publish",
        models_as_of=now,
        image="i" * 1024,
        prepare_incarnation=2,
        verdict=Verdict("Failed", "TooManyFailedSensors", "x" * 1000),
        publish_incarnation=2,
        published=Published("m" * 1024, "0" * 64, "s" * 1024, "a" * 1024),
        guard=Guard(
            {"R" * n: 2**40 for n in range(1, 33)},
            {"R" * n: 2**40 for n in range(1, 33)},
            tuple(Sample("s" * 63, "R" * 64, "x" * 256) for _ in range(10)),
        ),
        stopwatch=Stopwatch(2**40, now),
        pending_since=now,
        stopping=RangeSet.of(range(0, 400, 2)),
        cost=Cost(2**50, 2**60, 2**62, 2**40, 2**40, 2**60),
        currency="EUR",
    )
    for kind in ("Complete", "Failed", "Suspended", "Blocked", "Waiting", "WaitingForReadings"):
        status = status.having(kind, True, "Reason", "m" * 2000, now, 1)
    body = to_api(status)
    patch = {"status": body}
    path = f"{RUNS}/namespaces/{runs.namespace}/scoringruns/hourly/status"
    written = api.call("PATCH", path, patch, "application/merge-patch+json")["status"]
    assert written == body
    assert of_api(written) == replace(status, incarnations=dict(sorted(status.incarnations.items())))
    stored = to_api(replace(status, pinned=Pinned(100_000, "0" * 64, "", (1000,) * 512)))["sensorSet"]
    patch = {"status": {"sensorSet": stored | {"configMap": None}}}
    assert api.call("PATCH", path, patch, "application/merge-patch+json")["status"]["sensorSet"] == stored
