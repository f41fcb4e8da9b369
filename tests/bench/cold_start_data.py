"""What `cold_start` works on: a sensor's readings, its compiled model, and scikit-learn's own.

Arguments: store's URL, endpoint, connection string.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import joblib  # type: ignore[import-untyped]
import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from scorer.fit.train import TOLERANCE, train
from scorer.land import land, read_table
from scorer.storage import open_store
from scorer.storage.create import create_store
from scorer.window import window

CSV = Path(__file__).resolve().parents[2] / "examples" / "azure-reference" / "sensor_data.csv"
SENSOR = "device-1-tag-1"
TRAINING = window("2018-08-28T23:00:00Z", "2018-08-29T00:00:00Z")


def main(url: str, endpoint: str, connection_string: str) -> None:
    """Puts everything into a new store."""
    create_store(url, endpoint, True, connection_string)
    store = open_store(url, endpoint, True, connection_string)
    rows = {SENSOR: read_table(CSV)[SENSOR]}
    land(store, rows)
    train(store, SENSOR, TRAINING)
    times, values = rows[SENSOR]
    early = times <= np.datetime64(TRAINING.end.replace(tzinfo=None))
    fitted = Pipeline([("scaler", StandardScaler()), ("classifier", OneClassSVM(nu=0.01, tol=TOLERANCE))])
    file = io.BytesIO()
    joblib.dump(fitted.fit(values[early, None]), file)
    store.put("reference/model.joblib", file.getvalue())


if __name__ == "__main__":
    main(*sys.argv[1:])
