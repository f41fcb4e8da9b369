"""The work order: what a pod is told to do.

What a run leaves at its default is left out of the order, so that a pod of an older version, which refuses
what it does not know, understands as much as it can do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scoring_operator.contract.names import rfc3339
from scoring_operator.contract.untrusted import Json

VERSION = 1
NAMES_INLINE = 100  # above that an order refers to the pinned list, to keep argv and etcd small
SENSORS_FILE = "/etc/sensorscore/sensors/names"
MAX_RUN_SENSORS = 100_000  # what a run's status holds whatever the pattern of failures; more: several runs
DECISIONS_FILE = "/etc/sensorscore/decisions/decisions.json"
MAX_SENSORS = 1000  # of one scoring pod: what its message can speak of
MAX_SHARDS = 512
DEFAULT_OUTPUT: Mapping[str, str] = {
    "PerSensor": "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet",
    "Sharded": "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet",
}


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where models lie, and which version of each counts: Current, AsOfWindowEnd, or a version's name."""

    path: str
    version: str = "Current"

    @property
    def resolved(self) -> bool:
        """Whether the version depends on the instant at which one asks."""
        return self.version in ("Current", "AsOfWindowEnd")


@dataclass(frozen=True, slots=True)
class Columns:
    """What a readings file calls its columns; `features` is by the model's name of a feature."""

    time: str = "time"
    sensor: str = "sensor"
    features: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadingsSource:
    """Where readings lie and how they are written."""

    path: str
    format: str = "Auto"
    layout: str = "hourly"
    columns: Columns = field(default_factory=Columns)
    time_zone: str = "UTC"
    ambiguous_times: str = "Reject"
    late_seconds: int = 900  # of the layout capture: from a reading's time until it came to the hub


@dataclass(frozen=True, slots=True)
class Output:
    """Where predictions go: a file for each sensor (`shards` is 0), or `shards` files of many sensors."""

    path: str
    format: str = "Parquet"
    shards: int = 0

    @property
    def sharded(self) -> bool:
        """Whether a file holds many sensors."""
        return self.shards > 0


def model_order(model: ModelSource, at: datetime | None) -> Json:
    """The order's `model`; what is registered or switched after `at` does not count."""
    order = {"path": model.path} | _but({"version": model.version}, version="Current")
    return order | ({"at": rfc3339(at)} if at is not None and model.resolved else {})


def readings_order(readings: ReadingsSource) -> Json:
    """The order's `readings`."""
    columns = readings.columns
    named = _but({"time": columns.time, "sensor": columns.sensor}, time="time", sensor="sensor")
    if columns.features:
        named["features"] = dict(columns.features)
    options = {
        "format": readings.format,
        "layout": readings.layout,
        "columns": named,
        "timeZone": readings.time_zone,
        "ambiguousTimes": readings.ambiguous_times,
        "lateSeconds": readings.late_seconds,
    }
    defaults = {"format": "Auto", "layout": "hourly", "columns": {}, "timeZone": "UTC"}
    return {"path": readings.path} | _but(options, **defaults, ambiguousTimes="Reject", lateSeconds=900)


def output_order(output: Output) -> Json:
    """The order's `output`."""
    order = {"path": output.path} | _but({"format": output.format}, format="Parquet")
    return order | ({"layout": "Sharded", "shards": output.shards} if output.sharded else {})


def _but(options: Json, **defaults: object) -> Json:
    return {name: value for name, value in options.items() if value != defaults[name]}


def work_sensors(names: tuple[str, ...], first: int) -> Json:
    """The `sensors` of a work order: the names themselves, or where in the pinned list they stand."""
    if len(names) <= NAMES_INLINE:
        return {"names": list(names)}
    return {"file": SENSORS_FILE, "from": first, "count": len(names)}


def list_path(uid: str) -> str:
    """Where in the store the list of a run's sensors lies, if the operator does not keep it."""
    return f"runs/{uid}/sensors"


def stored_sensors(uid: str, first: int, count: int, sha256: str) -> Json:
    """The `sensors` of a work order, of a run whose list lies in the store."""
    return {"store": list_path(uid), "from": first, "count": count, "sha256": sha256}


def left_order(uid: str, sha256: str) -> Json:
    """The `resolve` of what another run left undone: its list, and a file with its operator's decisions."""
    return {"left": {"run": uid, "sha256": sha256, "decisions": DECISIONS_FILE}}


def part_order(only: str, rest: str) -> Json:
    """What a publishing order says of a run of some of its window's sensors.

    Those of a table, `only`; or the `rest` that the run of that UID has left undone.
    """
    if not (only or rest):
        return {}
    return {"part": True} | ({"rest": rest} if rest else {})


def wait_order(marker: str, until: datetime, on_timeout: str) -> Json:
    """The order's `waitFor`."""
    order = {"marker": marker, "until": rfc3339(until)}
    return order | _but({"onTimeout": on_timeout}, onTimeout="Score")


def arguments(work: Json) -> list[str]:
    """The container's arguments; the image's entry point stands before them.

    Kubernetes puts a variable's value in the place of `$(NAME)`: a path with one would be told the store's
    secret, and say it in its errors. JSON has another way to write `$`, which stands within its texts only.
    """
    text = json.dumps(work, separators=(",", ":"), ensure_ascii=True)
    return ["run", "--work", text.replace("$", "\\u0024")]
