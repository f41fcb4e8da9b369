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
from scorer.contract.paths import check_model_path, check_output_path, check_readings_path
from scorer.contract.publishing import (
    Decisions,
    Published,
    Sample,
    encode_failure,
    encode_published,
    parse_decisions,
)
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
        failures=[(told["sensor"], told["reason"], told["message"]) for told in wanted["failures"]],
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
        message = encode_failure(header, failure["reason"], failure["message"], wanted["stagesMs"])
    else:
        published = Published(
            wanted["manifest"]["path"],
            wanted["manifest"]["sha256"],
            wanted["success"],
            wanted["anomalies"],
            wanted["warnings"],
            wanted["notes"],
            tuple(Sample(**sample) for sample in wanted["samples"]),
        )
        message = encode_published(header, published, wanted["stagesMs"])
    assert json.loads(message) == wanted


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
    if isinstance(order.sensors, SensorFile):
        sensors: dict[str, Any] = {
            "file": order.sensors.file,
            "from": order.sensors.first,
            "count": order.sensors.size,
        }
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
        ),
        "output": _told(**order.output._asdict()),
        "onMissingReadings": order.on_missing_readings,
        "onMissingModel": order.on_missing_model,
        "perAttemptSeconds": order.per_attempt_seconds,
        **_told(stage=order.stage, decisions=order.decisions),
    }


DEFAULTS = {
    "version": "Current",
    "at": None,
    "format": ("Auto", "Parquet"),
    "layout": ("hourly", "PerSensor"),
    "columns": {"time": "time", "sensor": "sensor", "features": {}},
    "timeZone": "UTC",
    "ambiguousTimes": "Reject",
    "shards": 1,
    "stage": "Score",
    "decisions": "",
}


def _told(**fields: Any) -> dict[str, Any]:
    """What a work order need not say is left out, as the operator leaves it out."""

    def said(name: str, value: Any) -> bool:
        usual = DEFAULTS.get(name, ...)
        return value not in usual if isinstance(usual, tuple) else value != usual

    return {name: value for name, value in fields.items() if said(name, value)}
