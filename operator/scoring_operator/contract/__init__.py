"""The contract with the scorer: exit codes, names, paths, work orders, and what pods say of their work.

The scorer has its own package of this name; neither imports the other, and `tests/contract/*.json` holds both
to the same vectors. What comes from a pod is untrusted input: whoever may write a pod's termination message
must not be able to harm more than that pod's own sensors, so both parsers bound and check everything and
raise `ContractError` for the rest.
"""

from scoring_operator.contract.names import (
    CONTAINER,
    FAIL_JOB,
    Exit,
    State,
    digest8,
    is_sensor_name,
    job_name,
    publish_job_name,
    rfc3339,
    shard_of,
)
from scoring_operator.contract.outcome import (
    POD_STAGES,
    Expected,
    Message,
    Rows,
    parse_message,
)
from scoring_operator.contract.paths import check_template
from scoring_operator.contract.published import Guard, Published, PublishMessage, Sample, parse_published
from scoring_operator.contract.untrusted import MESSAGE_LIMIT, TEXT_LIMIT, ContractError, Json, clean
from scoring_operator.contract.work import (
    DECISIONS_FILE,
    DEFAULT_OUTPUT,
    MAX_SENSORS,
    MAX_SHARDS,
    NAMES_INLINE,
    SENSORS_FILE,
    VERSION,
    Columns,
    ModelSource,
    Output,
    ReadingsSource,
    arguments,
    model_order,
    output_order,
    readings_order,
    work_sensors,
)

__all__ = [
    "CONTAINER",
    "DECISIONS_FILE",
    "DEFAULT_OUTPUT",
    "FAIL_JOB",
    "MAX_SENSORS",
    "MAX_SHARDS",
    "MESSAGE_LIMIT",
    "NAMES_INLINE",
    "POD_STAGES",
    "SENSORS_FILE",
    "TEXT_LIMIT",
    "VERSION",
    "Columns",
    "ContractError",
    "Exit",
    "Expected",
    "Guard",
    "Json",
    "Message",
    "ModelSource",
    "Output",
    "PublishMessage",
    "Published",
    "ReadingsSource",
    "Rows",
    "Sample",
    "State",
    "arguments",
    "check_template",
    "clean",
    "digest8",
    "is_sensor_name",
    "job_name",
    "model_order",
    "output_order",
    "parse_message",
    "parse_published",
    "publish_job_name",
    "readings_order",
    "rfc3339",
    "shard_of",
    "work_sensors",
]
