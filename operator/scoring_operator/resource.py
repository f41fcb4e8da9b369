"""A ScoringRun as a frozen value, read from the API's object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from scoring_operator.contract import ContractError, Json, Template, check_template
from scoring_operator.status import Status, of_api, parse_time

GROUP, VERSION, PLURAL, KIND = "sensorscore.dev", "v1alpha1", "scoringruns", "ScoringRun"

Policy = Literal["Skip", "Fail"]
Key = tuple[str, str]  # namespace, name


class ResourceError(ValueError):
    """The object is not a ScoringRun that this operator understands."""


@dataclass(frozen=True, slots=True)
class SensorSource:
    """Where the sensor list comes from: names, or a key of a ConfigMap."""

    names: tuple[str, ...] = ()
    config_map: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """All of `.spec`. Paths are relative to the store; times are UTC."""

    start: datetime
    end: datetime
    sensors: SensorSource
    store: str
    runtime: str
    model_path: str
    readings_path: str
    output_path: str
    sensors_per_job: int
    parallelism: int
    suspend: bool
    backoff_limit: int
    per_attempt_seconds: int
    max_failed_sensors: int | str
    on_missing_readings: Policy
    on_missing_model: Policy
    ttl_seconds: int | None
    job_ttl_seconds: int

    def failures_allowed(self, total: int) -> int:
        """`maxFailedSensors` as a number; a percentage is of all sensors, rounded down."""
        if isinstance(self.max_failed_sensors, int):
            return self.max_failed_sensors
        return total * int(self.max_failed_sensors.removesuffix("%")) // 100


@dataclass(frozen=True, slots=True)
class Run:
    """One ScoringRun at one resourceVersion. A spec that is not understood is a sentence in its place."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: datetime
    deleting: bool
    spec: Spec | str
    status: Status

    @property
    def key(self) -> Key:
        """What the run is called in the cluster."""
        return self.namespace, self.name


def parse_run(body: Json) -> Run:
    """A run from the API's object.

    Raises `ResourceError` only where nothing can be said to the user in the object itself: metadata or status
    that are broken. The schema refuses wrong specs; one that got through all the same (stored under an older
    CRD) must end in a condition and not in a loop, so that it is kept as the sentence that says what is
    wrong.
    """
    try:
        meta = body["metadata"]
        return Run(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
            generation=meta.get("generation", 0),
            created=parse_time(meta["creationTimestamp"]),
            deleting=bool(meta.get("deletionTimestamp")),
            spec=_spec_or_why_not(body.get("spec") or {}),
            status=of_api(body.get("status") or {}),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResourceError(f"{type(error).__name__}: {error}") from None


def _spec_or_why_not(body: Json) -> Spec | str:
    try:
        return _spec(body)
    except ContractError as error:
        return f"spec.{error}"
    except KeyError as error:
        return f"spec lacks {error}; is the CRD of this operator's version installed?"
    except (TypeError, ValueError, AttributeError) as error:
        return f"spec is not understood: {error}; is the CRD of this operator's version installed?"


def _spec(body: Json) -> Spec:
    paths: dict[Template, str] = {"model": "", "readings": "", "output": ""}
    for field in paths:
        paths[field] = body[field]["path"]
        check_template(field, paths[field])
    policy = body["failurePolicy"]
    return Spec(
        start=parse_time(body["window"]["start"]),
        end=parse_time(body["window"]["end"]),
        sensors=_sensors(body["sensors"]),
        store=body["store"],
        runtime=body["runtime"],
        model_path=paths["model"],
        readings_path=paths["readings"],
        output_path=paths["output"],
        sensors_per_job=int(body["sensorsPerJob"]),
        parallelism=int(body["parallelism"]),
        suspend=bool(body["suspend"]),
        backoff_limit=int(body["retry"]["backoffLimit"]),
        per_attempt_seconds=int(body["timeouts"]["perAttemptSeconds"]),
        max_failed_sensors=policy["maxFailedSensors"],
        on_missing_readings=policy["onMissingReadings"],
        on_missing_model=policy["onMissingModel"],
        ttl_seconds=body.get("ttlSecondsAfterFinished"),
        job_ttl_seconds=int(body["jobTTLSecondsAfterFinished"]),
    )


def _sensors(body: Json) -> SensorSource:
    if "names" in body:
        return SensorSource(names=tuple(body["names"]))
    return SensorSource(config_map=body["configMapRef"]["name"], key=body["configMapRef"]["key"])
