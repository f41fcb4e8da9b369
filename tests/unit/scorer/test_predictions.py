from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scorer.contract import Rows
from scorer.model import anomalies, scores
from scorer.model.file import read_model
from scorer.predictions import write_predictions
from scorer.readings import Readings
from scoring import model_bytes

MODEL = read_model(model_bytes(features=("a", "b")), "20260101T120000Z-12345678")


def written(count: int = 3) -> bytes:
    times = np.arange(1, count + 1) * 1_000_000
    values = np.array([[10.0, 10.0], [10.5, 9.5], [90.0, 10.0]])[:count]
    found = scores(MODEL, values)
    return write_predictions(
        MODEL, Readings(times, values, Rows(count, count), {}), found, anomalies(MODEL, found)
    )


def test_columns_and_their_types() -> None:
    table = pq.read_table(io.BytesIO(written()))
    assert table.schema.remove_metadata() == pa.schema(
        {
            "time": pa.timestamp("us", tz="UTC"),
            "a": pa.float64(),
            "b": pa.float64(),
            "prediction": pa.int8(),
            "score": pa.float64(),
        }
    )
    assert table["prediction"].to_pylist() == [0, 0, 1]
    assert table["a"].to_pylist() == [10.0, 10.5, 90.0]
    assert [time.timestamp() for time in table["time"].to_pylist()] == [1, 2, 3]


def test_the_file_names_its_model_and_nothing_of_the_run() -> None:
    metadata = pq.read_metadata(io.BytesIO(written())).metadata
    assert metadata == {
        b"threshold": b"0.0",
        b"model_version": b"20260101T120000Z-12345678",
        b"model_sha256": MODEL.sha256.encode(),
        b"format": b"2",
    }


def test_the_score_and_the_threshold_give_the_prediction() -> None:
    table = pq.read_table(io.BytesIO(written()))
    flagged = np.array(table["score"]) >= float(table.schema.metadata[b"threshold"])
    assert flagged.tolist() == [value == 1 for value in table["prediction"].to_pylist()]


def test_the_same_scores_have_the_same_bytes() -> None:
    assert written() == written()


def test_no_rows_are_a_file_too() -> None:
    assert pq.read_table(io.BytesIO(written(0))).num_rows == 0
