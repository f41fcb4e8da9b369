"""The contract with the operator: exit codes, work order, outcome message, path templates, sensor names.

`tests/contract/*.json` holds its vectors; the operator implements the same in a module of its own. Nothing
here imports more than the standard library's cheapest parts: a pod reads its work order before anything else
is loaded.
"""

from scorer.contract.exits import Exit
from scorer.contract.outcome import (
    FAILED,
    SCORED,
    SKIPPED,
    UNDECIDED,
    Decision,
    Header,
    Rows,
    SensorError,
    encode_codes,
    encode_message,
)
from scorer.contract.paths import TemplateError, is_sensor_name, output_path, readings_paths, shard_of
from scorer.contract.work import Run, StoreAddress, UsageError, WorkOrder, parse_work_order

__all__ = [
    "FAILED",
    "SCORED",
    "SKIPPED",
    "UNDECIDED",
    "Decision",
    "Exit",
    "Header",
    "Rows",
    "Run",
    "SensorError",
    "StoreAddress",
    "TemplateError",
    "UsageError",
    "WorkOrder",
    "encode_codes",
    "encode_message",
    "is_sensor_name",
    "output_path",
    "parse_work_order",
    "readings_paths",
    "shard_of",
]
