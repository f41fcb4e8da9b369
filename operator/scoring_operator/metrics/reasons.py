"""The values that labels of metrics can have, and what becomes of others.

Reasons come from pods: any word that is not known here counts as Other, so that no pod can make series.
"""

from __future__ import annotations

from collections import Counter

from scoring_operator.contract import State
from scoring_operator.outcomes import ChunkOutcome

OTHER = "Other"
# In the order of a Job's life. The last two are a run's own Jobs.
JOB_STAGES = ("pending", "start", "import", "read", "score", "write", "total")
RUN_STAGES = ("prepare", "publish")
STAGES = JOB_STAGES + RUN_STAGES
SUCCEEDED, FAILED = "Succeeded", "Failed"
JOB_RESULTS = (SUCCEEDED, FAILED)

# Whose matter the reason of a failed sensor is. An operator of the pool, of the storage account and of the
# models are different people.
CLASSES = {
    "Input": (
        *("NoReadings", "NoModel", "ModelCorrupt", "ModelIncompatible", "ReadingsCorrupt", "SchemaMismatch"),
        *("ReadingsTooLarge", "OutputCorrupt", "OutputTooLarge"),
    ),
    "Storage": ("StorageDenied", "StorageUnavailable"),
    "Pod": (
        *("PluginFailed", "PluginTimeout", "PluginOutOfMemory", "Crashed", "OutOfMemory", "Timeout"),
        *("Misconfigured", "PodFailed", "OutcomeLost"),
    ),
    "Cluster": ("NeverStarted", "Evicted", "Disrupted"),
    OTHER: (OTHER,),
}
_CLASS_OF = {reason: kind for kind, reasons in CLASSES.items() for reason in reasons}
SENSOR_REASONS = {
    State.SCORED: ("",),
    State.SKIPPED: ("NoReadings", "NoModel", "Superseded", OTHER),
    State.FAILED: tuple(_CLASS_OF),
}
RUN_REASONS = {
    "Complete": ("AllSucceeded", "SomeFailed"),
    "Failed": (
        *("TooManyFailedSensors", "TooManySkippedSensors", "DeadlineExceeded", "PendingDeadlineExceeded"),
        *("PublishFailed", "JobRejected", "InvalidSensors", "InvalidSpec", "UnknownStore"),
        *("UnknownSink",),
        *("PrepareFailed", "ReadingsNotReady", "UnknownRuntime", "TemplateRefused"),
        *("ConcurrencyForbidden", "Replaced", OTHER),
    ),
}
GUARD_REASONS = (
    *("FlagRate", "AllFlagged", "ConstantValue", "OutsideTrainingRange", "MissingRows"),
    OTHER,
)
SINK_RESULTS = ("delivered", "deadlettered", "suppressed", "skipped")
ROW_KINDS = ("scored", "rejected", "duplicate")
ERROR_KINDS = ("api", "defect")


def known(reason: str, reasons: tuple[str, ...]) -> str:
    """The reason if it is one of `reasons`, else Other."""
    return reason if reason in reasons else OTHER


def class_of(outcome: ChunkOutcome) -> str:
    """What most failed sensors of a Job failed for, as one of `CLASSES`; empty if none did."""
    failed = [sensor.reason for sensor in outcome.sensors if sensor.state is State.FAILED]
    classes = Counter(_CLASS_OF.get(reason, OTHER) for reason in failed)
    return max(classes, key=lambda kind: (classes[kind], kind)) if classes else ""
