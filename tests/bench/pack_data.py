"""What the benches of packs work on. Arguments: `small` or `wide`, store's URL, endpoint, connection string.

`small`: 1,000 sensors of the Azure reference's shape, 1,185 rows of one feature and a model of few support
vectors. `wide`: 100 sensors with 10,000 rows of 10 features and a model of about 213 support vectors; that is
there in scikit-learn's own form too. All sensors have the same model: what is in it costs the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import joblib  # type: ignore[import-untyped]
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.fit.export import export
from scorer.model.file import write_model
from scorer.storage import Store, open_store
from scorer.storage.create import create_store

START, END = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=UTC)
SMALL_SENSORS, SMALL_ROWS = 1000, 1185
WIDE_SENSORS, WIDE_ROWS, WIDE_FEATURES = 100, 10_000, 10


def names(count: int) -> list[str]:
    """The sensors."""
    return [f"device-{number // 5}-tag-{number % 5}-{number}" for number in range(count)]


def main(kind: str, url: str, endpoint: str = "", connection_string: str = "") -> None:
    """Puts everything into a new store."""
    create_store(url, endpoint or None, True, connection_string or None)
    store = open_store(url, endpoint or None, True, connection_string or None)
    random = np.random.default_rng(7)
    if kind == "small":
        _put(store, small_model(), SMALL_SENSORS, lambda: 20 + random.normal(size=(SMALL_ROWS, 1)))
    else:
        mixing = random.normal(size=(WIDE_FEATURES, WIDE_FEATURES))
        fitted = fitted_model(random.normal(size=(10_000, WIDE_FEATURES)) @ mixing, nu=0.01, gamma="scale")
        _put(store, fitted, WIDE_SENSORS, lambda: random.normal(size=(WIDE_ROWS, WIDE_FEATURES)) @ mixing)
        model = io.BytesIO()
        joblib.dump(fitted, model)
        store.put("reference/model.joblib", model.getvalue())


def fitted_model(rows: NDArray[np.float64], nu: float, gamma: float | str) -> Pipeline:
    """Fitted to `rows`."""
    return Pipeline([("scaler", StandardScaler()), ("svm", OneClassSVM(nu=nu, gamma=gamma))]).fit(rows)


def small_model() -> Pipeline:
    """Of the reference's shape."""
    random = np.random.default_rng(7)
    return fitted_model(20 + random.normal(size=(SMALL_ROWS, 1)), nu=1e-4, gamma=0.01)


def model_files(fitted: Pipeline) -> dict[str, bytes]:
    """A registered model's files, below its sensor's folder."""
    about = {
        "sklearn": "1", "training": {"window": "2026-01-01T11:00:00Z/2026-01-01T12:00:00Z", "rows": 1000},
        "check": {"rows": 1},
    }  # fmt: skip
    model = write_model(export(fitted), feature_names(fitted.n_features_in_), about)
    digest = hashlib.sha256(model).hexdigest()
    version = f"20260101T120000Z-{digest[:8]}"
    current = {"version": version, "sha256": digest, "validFrom": "2026-01-01T11:00:00Z"}
    return {f"{version}/model.safetensors": model, "current.json": json.dumps(current).encode()}


def _put(store: Store, fitted: Pipeline, sensors: int, rows: object) -> None:
    features = feature_names(fitted.n_features_in_)
    files = model_files(fitted)

    def put(sensor: str, readings: bytes) -> None:
        for name, data in files.items():
            store.put(f"models/{sensor}/{name}", data)
        store.put(f"readings/2026/01/01/12/{sensor}.parquet", readings)

    with ThreadPoolExecutor(8) as threads:
        made = ((sensor, readings_file(np.asarray(rows()), features)) for sensor in names(sensors))  # type: ignore[operator]
        for done in [threads.submit(put, sensor, data) for sensor, data in made]:
            done.result()


def feature_names(count: int) -> list[str]:
    """Columns of readings with so many values."""
    return ["value"] if count == 1 else [f"x{number}" for number in range(count)]


def readings_file(rows: NDArray[np.float64], features: list[str]) -> bytes:
    """A file of rows over the hour, values with three decimals."""
    step = int((END - START).total_seconds() * 1e6 / len(rows))
    times = int(START.timestamp() * 1e6) + step * np.arange(1, len(rows) + 1)
    columns = {"time": pa.array(times, pa.timestamp("us", tz="UTC"))}
    columns |= {name: pa.array(np.round(values, 3)) for name, values in zip(features, rows.T, strict=True)}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


if __name__ == "__main__":
    main(*sys.argv[1:])
