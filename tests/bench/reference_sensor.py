"""The reference of `pack-100x10k`: a sensor in a process of its own, by pandas and scikit-learn, from files.

Arguments: model's file, readings' file, prediction's file.
"""

import sys

import joblib
import pandas as pd

model_file, readings_file, prediction_file = sys.argv[1:]
model = joblib.load(model_file)
readings = pd.read_parquet(readings_file)
rows = readings.drop(columns="time").to_numpy()
readings["prediction"] = (model.predict(rows) == -1).astype("int8")
readings["score"] = -model.decision_function(rows)
readings.to_parquet(prediction_file, index=False)
