"""Where things lie unless a command is told otherwise, as docs/data.md shows it."""

MODELS = "models/{sensor}"
READINGS = "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
OUTPUT = "predictions/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"
SHARDS = "predictions/{yyyy}/{MM}/{dd}/{HH}/part-{shard}.parquet"
