"""The scorer's side of the contract, held to the vectors that the operator is held to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_vectors import vectors
from scorer.contract import (
    Exit,
    Header,
    Rows,
    TemplateError,
    UsageError,
    WorkOrder,
    encode_codes,
    encode_message,
    is_sensor_name,
    output_path,
    parse_work_order,
    readings_paths,
    shard_of,
)
from scorer.contract.paths import (
    check_model_path,
    check_output_path,
    check_readings_path,
    default_marker,
)
from scorer.contract.preparing import DiscoverSource, LeftSource, Prepared, TableSource, encode_prepared
from scorer.contract.publishing import (
    Decisions,
    Published,
    Sample,
    Sent,
    encode_published,
    parse_decisions,
)
from scorer.contract.sensors import SensorsInStore
from scorer.contract.staging import encode_failure
from scorer.contract.work import SensorFile
from scorer.window import utc_text, window

CHECKS = {"model": check_model_path, "output": check_output_path, "readings": check_readings_path}


def test_exit_codes() -> None:
    wanted = {name.upper(): entry["code"] for name, entry in vectors("exit_codes").items()}
    assert {code.name: int(code) for code in Exit} == wanted


@pytest.mark.parametrize("name", vectors("sensor_names")["valid"])
def test_sensor_names_that_are_some(name: str) -> None:
    assert is_sensor_name(name)


@pytest.mark.parametrize("name", vectors("sensor_names")["invalid"])
def test_sensor_names_that_are_none(name: str) -> None:
    assert not is_sensor_name(name)


@pytest.mark.parametrize("vector", vectors("run_length"), ids=lambda vector: vector["text"] or "none")
def test_run_length(vector: dict[str, str]) -> None:
    assert encode_codes(vector["letters"]) == vector["text"]


@pytest.mark.parametrize("vector", vectors("templates")["output"], ids=lambda vector: vector["path"])
def test_output_paths(vector: dict[str, Any]) -> None:
    check_output_path(vector["path"])
    assert output_path(vector["path"], vector["sensor"], window(**vector["window"])) == vector["expanded"]


@pytest.mark.parametrize("vector", vectors("templates")["readings"], ids=lambda vector: vector["path"])
def test_readings_paths(vector: dict[str, Any]) -> None:
    check_readings_path(vector["path"])
    assert readings_paths(vector["path"], vector["sensor"], window(**vector["window"])) == vector["expanded"]


@pytest.mark.parametrize("vector", vectors("templates")["refused"], ids=lambda vector: repr(vector["path"]))
def test_templates_refused(vector: dict[str, str]) -> None:
    with pytest.raises(TemplateError) as refusal:
        CHECKS[vector["field"]](vector["path"])
    assert vector["names"] in str(refusal.value)


@pytest.mark.parametrize(
    "vector", vectors("shards"), ids=lambda vector: f"{vector['sensor']}-{vector['shards']}"
)
def test_shards(vector: dict[str, Any]) -> None:
    assert shard_of(vector["sensor"], vector["shards"]) == vector["shard"]


@pytest.mark.parametrize("vector", vectors("work_orders")["valid"], ids=lambda vector: vector["name"])
def test_work_orders(vector: dict[str, Any]) -> None:
    assert as_work(parse_work_order(json.dumps(vector["work"]))) == vector["work"]


@pytest.mark.parametrize("vector", vectors("work_orders")["refused"], ids=lambda vector: vector["name"])
def test_work_orders_refused(vector: dict[str, Any]) -> None:
    work = vectors("work_orders")["valid"][0]["work"] | vector.get("change", {})
    for key in vector.get("remove", []):
        del work[key]
    with pytest.raises(UsageError) as refusal:
        parse_work_order(json.dumps(work))
    assert vector["names"] in str(refusal.value)


@pytest.mark.parametrize("vector", vectors("outcomes")["valid"], ids=lambda vector: vector["name"])
def test_outcome_messages(vector: dict[str, Any]) -> None:
    wanted = vector["message"]
    legend = {kind: letter for letter, kind in wanted["legend"].items()}
    kinds = [f"{s}/{r}" if r else s for s, r in zip(vector["states"], vector["reasons"], strict=True)]
    message = encode_message(
        Header(wanted["run"], wanted["chunk"], wanted["incarnation"], wanted["attempt"]),
        "".join(legend[kind] for kind in kinds),
        wanted["legend"],
        final=wanted["final"],
        rows=Rows(**wanted["rows"]),
        anomalies=wanted["anomalies"],
        stages_ms=wanted["stagesMs"],
        failures=[tuple(told.values()) for told in wanted["failures"]],
        in_hand=wanted.get("inHand"),
    )
    assert json.loads(message) == wanted


@pytest.mark.parametrize("vector", vectors("publishing")["decisions"], ids=lambda vector: vector["name"])
def test_decisions(vector: dict[str, Any]) -> None:
    assert as_decisions(parse_decisions(json.dumps(vector["decisions"]))) == vector["decisions"]


@pytest.mark.parametrize(
    "vector", vectors("publishing")["decisions_refused"], ids=lambda vector: vector["name"]
)
def test_decisions_refused(vector: dict[str, Any]) -> None:
    told = vectors("publishing")["decisions"][0]["decisions"] | vector["change"]
    with pytest.raises(UsageError) as refusal:
        parse_decisions(json.dumps(told))
    assert vector["names"] in str(refusal.value)


@pytest.mark.parametrize("vector", vectors("publishing")["messages"], ids=lambda vector: vector["name"])
def test_publishing_messages(vector: dict[str, Any]) -> None:
    wanted = vector["message"]
    header = Header(wanted["run"], wanted["chunk"], wanted["incarnation"], wanted["attempt"])
    if "failure" in wanted:
        failure = wanted["failure"]
        message = encode_failure(header, "Publish", failure["reason"], failure["message"], wanted["stagesMs"])
    else:
        published = Published(
            wanted["manifest"]["path"],
            wanted["manifest"]["sha256"],
            wanted["success"],
            wanted["anomalies"],
            wanted["warnings"],
            wanted["notes"],
            tuple(Sample(**sample) for sample in wanted["samples"]),
            {name: Sent(**told) for name, told in wanted.get("sinks", {}).items()},
        )
        message = encode_published(header, published, wanted["stagesMs"])
    assert json.loads(message) == wanted


PREPARING = vectors("preparing")
PREPARES = {
    key: value for key, value in vectors("work_orders")["valid"][0]["work"].items() if key != "sensors"
}


@pytest.mark.parametrize("vector", PREPARING["orders"], ids=lambda vector: vector["name"])
def test_preparing_orders(vector: dict[str, Any]) -> None:
    order = parse_work_order(json.dumps(PREPARES | vector["work"]))
    told = vector["work"]
    resolve: dict[str, Any] = {}
    match order.resolve:
        case TableSource(path):
            resolve = {"table": path}
        case DiscoverSource(of, prefix):
            resolve = {"discover": {"from": of} | ({"prefix": prefix} if prefix else {})}
        case LeftSource():
            resolve = {"left": order.resolve._asdict()}
    assert (resolve, order.only) == (told.get("resolve", {}), told.get("only", ""))
    if order.wait_for is None:
        assert "waitFor" not in told
    else:
        wait = order.wait_for
        wanted = {"marker": wait.marker, "until": wait.until, "onTimeout": wait.on_timeout}
        assert wanted == {"onTimeout": "Score"} | told["waitFor"]
    assert (order.stage, order.sensors) == ("Prepare", ())


@pytest.mark.parametrize("vector", PREPARING["orders_refused"], ids=lambda vector: vector["name"])
def test_preparing_orders_refused(vector: dict[str, Any]) -> None:
    changed = PREPARES | PREPARING["orders"][0]["work"] | vector["change"]
    with pytest.raises(UsageError) as refusal:
        parse_work_order(json.dumps({key: value for key, value in changed.items() if value != "remove"}))
    assert vector["names"] in str(refusal.value)


@pytest.mark.parametrize("vector", PREPARING["markers"], ids=lambda vector: vector["readings"])
def test_default_markers(vector: dict[str, str]) -> None:
    assert default_marker(vector["readings"]) == vector["marker"]


@pytest.mark.parametrize("vector", PREPARING["messages"], ids=lambda vector: vector["name"])
def test_preparing_messages(vector: dict[str, Any]) -> None:
    wanted = vector["message"]
    header = Header(wanted["run"], wanted["chunk"], wanted["incarnation"], wanted["attempt"])
    if "failure" in wanted:
        failure = wanted["failure"]
        message = encode_failure(header, "Prepare", failure["reason"], failure["message"], wanted["stagesMs"])
    else:
        listed = wanted["sensors"] or {"total": None, "sha256": "", "shards": []}
        prepared = Prepared(listed["total"], listed["sha256"], listed["shards"], wanted["readings"])
        message = encode_prepared(header, prepared, wanted["stagesMs"])
    assert json.loads(message) == wanted


def test_the_longest_message_of_a_prepared_run_fits() -> None:
    header = Header("6f0c1a2e-0000-4000-8000-000000000001", 0, 99, "2026-01-01T13:00:09.123Z")
    prepared = Prepared(100_000, "a" * 64, [1000] * 512, "TimedOut")
    assert len(encode_prepared(header, prepared, {"total": 86_400_000})) < 4096


def as_decisions(decisions: Decisions) -> dict[str, Any]:
    """The decisions as the operator wrote them."""
    return {
        "v": 1,
        "total": decisions.total,
        "complete": decisions.complete,
        "reason": decisions.reason,
        "failed": _ranges(decisions.failed),
        "undecided": _ranges(decisions.undecided),
        "failures": [
            {"sensor": sensor, **failure._asdict()} for sensor, failure in decisions.failures.items()
        ],
    }


def _ranges(places: frozenset[int]) -> str:
    firsts = sorted(place for place in places if place - 1 not in places)
    lasts = sorted(place for place in places if place + 1 not in places)
    return ",".join(
        f"{first}" if first == last else f"{first}-{last}" for first, last in zip(firsts, lasts, strict=True)
    )


def as_work(order: WorkOrder) -> dict[str, Any]:
    """The work order as the operator wrote it."""
    assert isinstance(order.sensors, tuple)
    if isinstance(order.sensors, SensorFile | SensorsInStore):
        sensors: dict[str, Any] = {"from": order.sensors.first, "count": order.sensors.size}
        if isinstance(order.sensors, SensorFile):
            sensors |= {"file": order.sensors.file}
        else:
            sensors |= {"store": order.sensors.path, "sha256": order.sensors.sha256}
    else:
        sensors = {"names": list(order.sensors)}
    store: dict[str, Any] = {"url": order.store.url}
    if order.store.endpoint is not None:
        store |= {"endpoint": order.store.endpoint, "allowHttp": order.store.allow_http}
    return {
        "v": 1,
        "run": order.run._asdict(),
        "chunk": order.chunk,
        "incarnation": order.incarnation,
        "window": {"start": utc_text(order.window.start), "end": utc_text(order.window.end)},
        "sensors": sensors,
        "store": store,
        "model": _told(path=order.model.path, version=order.model.version, at=order.model.at),
        "readings": _told(
            path=order.readings.path,
            format=order.readings.format,
            layout=order.readings.layout,
            columns=order.readings.columns._asdict(),
            timeZone=order.readings.time_zone,
            ambiguousTimes=order.readings.ambiguous_times,
            lateSeconds=order.readings.late_seconds,
        ),
        "output": _told(**order.output._asdict()),
        "onMissingReadings": order.on_missing_readings,
        "onMissingModel": order.on_missing_model,
        "perAttemptSeconds": order.per_attempt_seconds,
        **_told(stage=order.stage, decisions=order.decisions),
        **({"part": True} if order.part else {}),
        **_told(rest=order.rest),
    }


DEFAULTS = {
    "version": "Current",
    "at": None,
    "format": ("Auto", "Parquet"),
    "layout": ("hourly", "PerSensor"),
    "columns": {"time": "time", "sensor": "sensor", "features": {}},
    "timeZone": "UTC",
    "ambiguousTimes": "Reject",
    "lateSeconds": 900,
    "shards": 1,
    "stage": "Score",
    "decisions": "",
    "rest": "",
}


def _told(**fields: Any) -> dict[str, Any]:
    """What a work order need not say is left out, as the operator leaves it out."""

    def said(name: str, value: Any) -> bool:
        usual = DEFAULTS.get(name, ...)
        return value not in usual if isinstance(usual, tuple) else value != usual

    return {name: value for name, value in fields.items() if said(name, value)}
