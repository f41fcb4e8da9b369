"""The reference of `cold_start`: one sensor scored as most would, by pandas, scikit-learn, Azure's library.

Arguments: container, model's blob, readings' blobs, prediction's blob.
"""

import io
import os
import sys

import joblib
import pandas as pd
from azure.storage.blob import ContainerClient

container_name, model_blob, *readings_blobs, prediction_blob = sys.argv[1:]
container = ContainerClient.from_connection_string(
    os.environ["AZURE_STORAGE_CONNECTION_STRING"], container_name
)


def download(blob: str) -> io.BytesIO:
    """The blob's bytes, as a file."""
    return io.BytesIO(container.download_blob(blob).readall())


model = joblib.load(download(model_blob))
readings = pd.concat([pd.read_parquet(download(blob)) for blob in readings_blobs])
readings["prediction"] = (model.predict(readings[["value"]].to_numpy()) == -1).astype("int8")
readings["score"] = -model.decision_function(readings[["value"]].to_numpy())
container.upload_blob(prediction_blob, readings.to_parquet(index=False), overwrite=True)
