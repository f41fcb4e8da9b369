"""Small models, readings and work orders that tests of the scorer share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorer.contract import WorkOrder, parse_work_order
from scorer.land import land
from scorer.logs import Log
from scorer.model.file import write_model
from scorer.storage import Store

RUN_UID = "6f0c1a2e-0000-4000-8000-000000000001"
START, END = "2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z"
CSV = Path(__file__).resolve().parents[1] / "examples" / "azure-reference" / "sensor_data.csv"


class KeptLog(Log):
    """Keeps its lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def _write(self, level: str, message: str, fields: dict[str, Any]) -> None:
        self.lines.append({"level": level, "message": message, **fields})


def work(sensors: Sequence[str], **changes: Any) -> dict[str, Any]:
    """A work order for these sensors, with some fields changed."""
    order = {
        "v": 1,
        "run": {"name": "hourly", "namespace": "scoring", "uid": RUN_UID, "created": "2026-01-01T13:00:07Z"},
        "chunk": 3,
        "incarnation": 0,
        "window": {"start": START, "end": END},
        "sensors": {"names": list(sensors)},
        "store": {"url": "memory://"},
        "model": {"path": "models/{sensor}"},
        "readings": {"path": "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "output": {"path": "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"},
        "onMissingReadings": "Skip",
        "onMissingModel": "Skip",
        "perAttemptSeconds": 300,
    }
    return order | changes


def order(sensors: Sequence[str], **changes: Any) -> WorkOrder:
    """The same, parsed."""
    return parse_work_order(json.dumps(work(sensors, **changes)))


def run_at(created: str, uid: str = RUN_UID) -> dict[str, str]:
    """A work order's `run`, created at another time."""
    return {"name": "hourly", "namespace": "scoring", "uid": uid, "created": created}


def model_bytes(mean: float = 10.0, width: float = 1.0, features: Sequence[str] = ("value",)) -> bytes:
    """A model to which values further than about 2 widths from the mean are anomalies."""
    count = len(features)
    stages = [
        ("standard_scaler", {"mean": np.full(count, mean), "scale": np.full(count, width)}),
        (
            "one_class_svm_rbf",
            {
                "support_vectors": np.stack([np.full(count, -1.0), np.full(count, 1.0)]),
                "dual_coef": np.array([0.5, 0.5]),
                "intercept": np.array([-0.3]),
                "gamma": np.array([0.5 / count]),
            },
        ),
    ]
    about = {
        "sklearn": "none",
        "training": {"window": "2026-01-01T11:00:00Z/2026-01-01T12:00:00Z", "rows": 100},
        "check": {"rows": 1},
    }
    return write_model(stages, features, about)


def put_model(store: Store, sensor: str, data: bytes, sha256: str | None = None) -> None:
    """Puts a model file there as a registration would, without its checks."""
    digest = sha256 or hashlib.sha256(data).hexdigest()
    version = f"20260101T120000Z-{digest[:8]}"
    store.put(f"models/{sensor}/{version}/model.safetensors", data)
    current = {"version": version, "sha256": digest, "validFrom": START}
    store.put(f"models/{sensor}/current.json", json.dumps(current).encode())


def values(
    count: int = 60, faults: Mapping[int, float] | None = None
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Calm values about 10, with some replaced."""
    found: NDArray[np.float64] = 10 + np.sin(np.arange(count, dtype=float))
    for place, value in (faults or {}).items():
        found[place] = value
    return found


def put_readings(
    store: Store, sensor: str, found: Any, start: str = START, seconds: float = 60.0
) -> list[str]:
    """Lands values, the first one `seconds` after `start` and so on."""
    first = np.datetime64(start.removesuffix("Z"), "us")
    times = first + (np.arange(1, len(found) + 1) * seconds * 1_000_000).astype("timedelta64[us]")
    return land(store, {sensor: (times, np.asarray(found, float))})


def put_sensor(store: Store, sensor: str, faults: Mapping[int, float] | None = None) -> None:
    """A sensor with a good model and an hour of readings."""
    put_model(store, sensor, model_bytes())
    put_readings(store, sensor, values(faults=faults))


def minutes(count: int) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time of the window's day."""
    return datetime(2026, 1, 1, hour, minute, second, tzinfo=UTC)
