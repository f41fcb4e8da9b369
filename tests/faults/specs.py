"""Specs made from the CRD's own schema: valid ones, ones with a single mistake, and changes in mid-run.

The schema says types, bounds, enumerations and which fields are required. What its rules (CEL) ask besides is
here, by the field's path: values that they take, and values that they must refuse.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
CRD = Path(__file__).resolve().parents[2] / "crds" / "scoringruns.sensorscore.dev.yaml"
HOUR = {"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T13:00:00Z"}
DAY = {"start": "2026-01-01T06:00:00Z", "end": "2026-01-02T06:00:00Z"}
PREDICTIONS = "predictions/{yyyy}/{MM}/{dd}/{HH}"

TAKEN: dict[str, list[Any]] = {
    "window": [HOUR, HOUR, DAY, {"start": "2026-01-01T12:00:00+01:00", "end": "2026-01-01T13:30:00Z"}],
    "store": ["default"] * 12 + ["theirs", "nowhere"],
    "runtime": ["default"] * 12 + ["gpu"],
    "sinks": [[], *[["alarms"]] * 6, *[["alarms", "chat"]] * 6, ["chat", "theirs"], ["nowhere"]],
    "model.path": ["models/{sensor}", "{sensor}", "a/{sensor}/b", "m" * 440 + "/{sensor}"],
    "model.version": ["Current", "AsOfWindowEnd", "20260101T000000Z-0123abcd", "v" * 40],
    "readings.path": [
        "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet",
        "asa/{yyyy}/{MM}/{dd}/{HH}/*.csv.gz",
        "all/{sensor}.json",
        "one.csv",
    ],
    "readings.timeZone": ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"],
    "readings.columns.features": [{}, {"value": "Value"}],
    "output": [
        {},
        {"format": "CSV"},
        {"layout": "Sharded"},
        {"layout": "Sharded", "shards": 3},
        {"path": PREDICTIONS + "/{sensor}.csv", "format": "CSV"},
        {"path": PREDICTIONS + "/{shard}", "layout": "Sharded", "shards": 512},
        {"path": "mine/{sensor}", "allowOverwrite": True},
        {"path": "daily/{yyyy}/{MM}/{dd}/{sensor}"},
        {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/of-{sensor}.parquet"},
        {"path": "runs/{yyyy}/{MM}/{dd}/{HH}/{sensor}"},
    ],
    "concurrencyGroup": ["hourly", "daily"],
    "failurePolicy.maxFailedSensors": [0, 1, 1_000_000, "0%", "34%", "100%"],
    "failurePolicy.maxSkippedSensors": [0, 2, "0%", "50%"],
    "template.resources.requests": [{}, {"cpu": "1m"}, {"memory": "1Mi"}, {"cpu": "64"}],
    "template.resources.limits": [{}, {"memory": "32Mi"}, {"memory": "1Ti"}],
    "template.labels": [{}, {"team": "a"}, {"example.com/cost-centre": ""}],
    "template.annotations": [{}, {"example.com/note": "x" * 1024}],
    "template.env": [[], [{"name": "OURS_LEVEL", "value": "1"}], [{"name": "PATH", "value": "/"}]],
    "template.priorityClassName": ["high"],
    "retry.backoffLimit": [0, 2, 10],
    "timeouts.runSeconds": [1, 3600, 31536000],
    "ttlSecondsAfterFinished": [1, 3600],
    "ttlSecondsAfterFailed": [1, 3600],
}
REFUSED: dict[str, list[Any]] = {
    "window": [
        {"start": HOUR["end"], "end": HOUR["start"]},
        {"start": HOUR["start"], "end": HOUR["start"]},
        {"start": "2024-12-01T00:00:00Z", "end": HOUR["end"]},
    ],
    "window.start": ["2026-01-01T12:00:00", "yesterday", "2026-01-01T12:00:00.5Z"],
    "sensors": [{}, {"names": ["a"], "configMapRef": {"name": "fleet"}}],
    "sensors.names": [["a", "a"], ["a/b"], ["-a"], ["a b"], ["ä"], [""]],
    "sinks": [["alarms", "alarms"], ["Alarms"], ["-a"], ["a.b"], [""], [7]],
    "model.path": [
        "models",
        "models/{sensor}/{HH}",
        "/m/{sensor}",
        "a/../{sensor}",
        "a//{sensor}",
        "{sensor}/*",
    ],
    "model.version": ["-", "a/b", "latest!"],
    "readings.path": ["r/{hour}", "/r", "r/../x", "r/*/x", "r/**", "r/{", "r\\x", "r/"],
    "readings.layout": ["ASA"],
    "readings.timeZone": ["Mars/Base", "Local"],
    "output": [
        {"layout": "Sharded", "format": "CSV"},
        {"shards": 4},
        {"path": PREDICTIONS + "/x"},
        {"path": PREDICTIONS + "/{sensor}", "layout": "Sharded"},
        {"path": "p/{sensor}"},
        {"path": "p/{HH}/{sensor}"},
        {"path": "p/{yyyy}/{sensor}"},
        {"layout": "Sharded", "allowOverwrite": True},
    ],
    "failurePolicy.maxFailedSensors": [-1, 1_000_001, "101%", "5", "-1%", "x%"],
    "failurePolicy.maxSkippedSensors": [-1, "5.5%"],
    "template.labels": [{"kubernetes.io/x": "a"}, {"sensorscore.dev/run": "a"}, {"a b": "c"}],
    "template.annotations": [{"karpenter.sh/do-not-disrupt": "false"}],
    "template.resources.requests": [{"cpu": "lots"}],
    "template.env": [[{"name": "lower"}], [{"name": "A"}, {"name": "A"}], [{"value": "x"}]],
}
TEXTS = ["a", "default", "x-1", "Value", "TIME", "s" * 63, "2026"]
NOT_LIVE = frozenset({"readings.waitFor", "sensors.table", "sensors.discover"})
"""Left out of runs that the double of the kubelet ends: it scores and publishes, and looks nothing up."""


def spec_schema() -> Json:
    """The schema of a ScoringRun's spec."""
    crd = yaml.safe_load(CRD.read_text())
    found: Json = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def paths(schema: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Every field's path, such as `timeouts.runSeconds`, with its schema."""
    for name, inner in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, inner
        yield from paths(inner, f"{path}.")


def immutable(schema: Json) -> list[str]:
    """Fields whose change its rules refuse."""
    rules = [rule for rule in schema["x-kubernetes-validations"] if "optionalOldSelf" not in rule]
    return [rule["fieldPath"][1:] for rule in rules if "oldSelf" in rule["rule"]]


class Specs:
    """Specs by chance, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.schema = spec_schema()
        self._chance = random.Random(seed)  # noqa: S311 - which specs are tried, no secret

    def valid(self, sensors: Json) -> Json:
        """A spec whose every field is valid for itself; rules between fields may still refuse it."""
        spec: Json = {"sensors": sensors}
        for name, schema in self.schema["properties"].items():
            if name != "sensors" and self._wanted(self.schema, name, name):
                spec[name] = self._value(name, schema)
        if "concurrencyPolicy" in spec:
            spec.setdefault("concurrencyGroup", "hourly")
        return spec

    def _wanted(self, parent: Json, name: str, path: str) -> bool:
        if path in NOT_LIVE:
            return False
        return name in parent.get("required", ()) or self._chance.random() < 0.3

    def _value(self, path: str, schema: Json) -> Any:
        if path in TAKEN:
            return copy.deepcopy(self._chance.choice(TAKEN[path]))
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        match schema.get("type"):
            case "boolean":
                return self._chance.choice([True, False])
            case "integer":
                low, high = schema["minimum"], schema["maximum"]
                return self._chance.choice([low, high, schema.get("default", low), min(low + 3, high)])
            case "string":
                return self._chance.choice([text for text in TEXTS if _fits(text, schema)])
            case "object":
                return {
                    name: self._value(f"{path}.{name}", inner)
                    for name, inner in schema.get("properties", {}).items()
                    if self._wanted(schema, name, f"{path}.{name}")
                }
        raise AssertionError(f"the schema has a new kind of field at {path}: say in TAKEN what it takes")

    def mistakes(self) -> list[tuple[str, Json]]:
        """Specs with one mistake each, with the path of the field that the refusal must name."""
        found: list[tuple[str, Json]] = []
        for path, schema in paths(self.schema):
            for value in [*wrong_values(schema), *REFUSED.get(path, ())]:
                spec = {"window": dict(HOUR), "sensors": {"names": ["a", "b"]}}
                found.append((path, _with(spec, path, value)))
            if schema.get("type") == "object" and "properties" in schema:
                stranger = f"{path}.stranger"
                base: Json = {"window": dict(HOUR), "sensors": {"names": ["a"]}}
                found.append((stranger, _with(base, stranger, 1)))
        return [*found, ("window", {"sensors": {"names": ["a"]}}), ("sensors", {"window": HOUR})]

    def change(self, spec: Json) -> tuple[str, Json, bool]:
        """A change of a run in work: the field, the patch, and whether it is allowed."""
        if self._chance.random() < 0.7:
            mutable = ["suspend", "parallelism", "ttlSecondsAfterFinished", "ttlSecondsAfterFailed"]
            field = self._chance.choice(mutable)
            values: dict[str, list[Any]] = {
                "suspend": [True, False],
                "parallelism": [0, 1, 2, 5, 2000],
                "ttlSecondsAfterFinished": [1, 3600, None],
                "ttlSecondsAfterFailed": [1, 3600, None],
            }
            return field, {field: self._chance.choice(values[field])}, True
        field = self._chance.choice(immutable(self.schema))
        return field, {field: self._other(field, spec)}, False

    def _other(self, field: str, spec: Json) -> Any:
        """A value of a field that is valid and not the one that it has."""
        if field == "sensors":
            return {"names": ["another"], "configMapRef": None, "failedOf": None}
        for _ in range(100):
            value = self._value(field, self.schema["properties"][field])
            if _merged(spec.get(field), value) != spec.get(field):
                return value
        raise AssertionError(f"no other value of {field} was found")


def wrong_values(schema: Json) -> Iterator[Any]:
    """Values that a field's own schema refuses."""
    if "enum" in schema:
        yield "Nonsense"
    match schema.get("type"):
        case "boolean":
            yield "yes"
        case "integer":
            yield from (schema["minimum"] - 1, schema["maximum"] + 1, "7", 1.5)
        case "string":
            yield 7
            yield {}
            if "maxLength" in schema:
                yield "a" * (schema["maxLength"] + 1)
            if schema.get("minLength"):
                yield ""
            if "pattern" in schema:
                yield "not this!\n"
        case "array":
            yield "a"
            yield [
                {"name": f"A{n}"} if "properties" in schema["items"] else f"a{n}"
                for n in range(_over(schema))
            ]
        case "object":
            yield "text"
            yield []
    if schema.get("x-kubernetes-int-or-string"):
        yield from (True, [], "12345")


def _over(schema: Json) -> int:
    return int(schema["maxItems"]) + 1


def _fits(text: str, schema: Json) -> bool:
    long = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 1 << 20)
    return long and re.search(schema.get("pattern", ""), text) is not None


def _with(spec: Json, path: str, value: Any) -> Json:
    place = spec
    *above, last = path.split(".")
    for name in above:
        place = place.setdefault(name, {})
    place[last] = copy.deepcopy(value)
    return spec


def _merged(old: Any, patch: Any) -> Any:
    """What a merge patch makes of a value."""
    if not isinstance(patch, dict):
        return patch
    base = old if isinstance(old, dict) else {}
    changed = {name: _merged(base.get(name), part) for name, part in patch.items()}
    return {name: part for name, part in {**base, **changed}.items() if part is not None}
