"""Finding a run's sensors, and pinning them: an immutable copy that pods and later operators read.

The copy is made before the first Job and owned by the run. Whatever happens to the source afterwards, the
run's chunks stay what they are; and an operator that starts in mid-run reads what the one before it read.
"""

from __future__ import annotations

from scoring_operator.chunks import (
    InStore,
    Left,
    SensorListError,
    SensorSet,
    check_names,
    divide,
    in_order,
    read_list,
)
from scoring_operator.cluster import CONFIG_MAPS, RUNS, ApiError, Cluster
from scoring_operator.contract import Json
from scoring_operator.decision import Missing, Sensors, Unusable
from scoring_operator.jobs import (
    SENSORS_KEY,
    left_config_map_name,
    left_of,
    sensors_config_map,
    sensors_config_map_name,
)
from scoring_operator.preparing import stored_chunks
from scoring_operator.publishing import left_by
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.resource import ResourceError, Run, parse_run
from scoring_operator.spec import SensorSource, Spec
from scoring_operator.status import PREPARE


async def pin(cluster: Cluster, bucket: TokenBucket, run: Run, spec: Spec) -> Sensors:
    """The run's sensors, pinned and divided; or that they are in the store, where only a pod can find them.

    It never waits for the operator's pace: what the run's status says waits for it.
    Raises `ApiError` where trying again may help.
    """
    if spec.sensors.in_store:
        return InStore()
    if run.status.stage == PREPARE and run.status.pinned is None:
        left = await cluster.get(CONFIG_MAPS, run.namespace, left_config_map_name(run))
        if left is not None and _owned(left, run.uid):
            return _of_left(spec, left)
    try:
        sensors = await _pinned(cluster, bucket, run, spec)
        if not isinstance(sensors, SensorSet):
            return sensors
        return divide(sensors, spec.output, spec.sensors_per_job)
    except SensorListError as error:
        return Unusable(str(error))


async def _pinned(
    cluster: Cluster, bucket: TokenBucket, run: Run, spec: Spec
) -> SensorSet | InStore | Missing | Unusable:
    if run.status.pinned:  # an operator before us has made the copy
        copy = await cluster.get(CONFIG_MAPS, run.namespace, run.status.pinned.config_map)
        if copy is not None:
            return _of_copy(run, copy)
    found = await _of_source(cluster, run, spec.sensors)
    if not isinstance(found, SensorSet):
        return found
    sensors = in_order(found, spec.output)
    divide(sensors, spec.output, spec.sensors_per_job)  # what cannot be divided must not be pinned
    if run.status.pinned and run.status.pinned.sha256 != sensors.sha256:
        return Unusable(
            f"ConfigMap {run.status.pinned.config_map} is gone, and its source is another list by now"
        )
    bucket.urgent()
    try:
        await cluster.create(CONFIG_MAPS, run.namespace, sensors_config_map(run, sensors))
    except ApiError as error:
        if error.code != 409:
            raise
        copy = await cluster.get(CONFIG_MAPS, run.namespace, sensors_config_map_name(run))
        if copy is None:
            raise  # it was there and is gone: look again
        return _of_copy(run, copy)
    return sensors


def _of_left(spec: Spec, left: Json) -> InStore | Unusable:
    try:
        return InStore(left_of(spec, left))
    except (KeyError, ValueError) as error:
        what = f"no key {error}" if isinstance(error, KeyError) else str(error)
        name = left["metadata"]["name"]
        return Unusable(
            f"ConfigMap {name}: found {what}; wanted what run {spec.sensors.failed_of} left undone"
        )


def _of_copy(run: Run, copy: Json) -> SensorSet | Unusable:
    name = copy["metadata"]["name"]
    if not _owned(copy, run.uid):
        return Unusable(f"ConfigMap {name} is not this run's; wanted none of that name")
    return read_list((copy.get("data") or {}).get(SENSORS_KEY, ""), f"ConfigMap {name}, key {SENSORS_KEY}")


def _owned(body: Json, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences") or ())


async def _of_source(
    cluster: Cluster, run: Run, source: SensorSource
) -> SensorSet | InStore | Missing | Unusable:
    if source.failed_of:
        return await _left_undone(cluster, run, source)
    if not source.config_map:
        places = ((f"spec.sensors.names[{index}]", name) for index, name in enumerate(source.names))
        return check_names(places, "spec.sensors.names")
    found = await cluster.get(CONFIG_MAPS, run.namespace, source.config_map)
    if found is None:
        return Missing(f"spec.sensors.configMapRef: no ConfigMap {source.config_map} in {run.namespace}")
    data = found.get("data") or {}
    if source.key not in data:
        keys = ", ".join(sorted(data)[:10]) or "none"
        return Unusable(f"ConfigMap {source.config_map}: found keys {keys}; wanted key {source.key}")
    return read_list(data[source.key], f"ConfigMap {source.config_map}, key {source.key}")


# Reruns -----------------------------------------------------------------------------------------------------


async def _left_undone(
    cluster: Cluster, run: Run, source: SensorSource
) -> SensorSet | InStore | Missing | Unusable:
    """The sensors that another run of the namespace failed on or never decided, as its own list has them."""
    where = f"spec.sensors.failedOf: run {source.failed_of}"
    body = await cluster.get(RUNS, run.namespace, source.failed_of)
    if body is None:
        return Missing(f"{where} is not in {run.namespace}")
    try:
        other = parse_run(body)
    except ResourceError as error:
        return Unusable(f"{where} cannot be read: {error}")
    if other.uid != source.failed_of_uid:
        return Unusable(f"{where} has the UID {other.uid}; wanted {source.failed_of_uid}")
    if not other.status.ended:
        return Missing(f"{where} has not ended")
    if other.status.pinned is None or not isinstance(other.spec, Spec):
        return Unusable(f"{where} ended before it had a list of sensors; wanted one that has scored")
    if other.status.pinned.in_store:
        return _left_in_store(where, other, other.spec, run)
    copy = await cluster.get(CONFIG_MAPS, run.namespace, other.status.pinned.config_map)
    if copy is None or not _owned(copy, other.uid):
        return Unusable(f"{where}: its list, ConfigMap {other.status.pinned.config_map}, is gone")
    sensors = _of_copy(other, copy)
    if not isinstance(sensors, SensorSet):
        return sensors
    if sensors.sha256 != other.status.pinned.sha256:
        return Unusable(f"{where}: its list is another by now")
    chunks = divide(sensors, other.spec.output, other.spec.sensors_per_job)
    wanted = other.status.failed_sensors.union(chunks.without(other.status.done))
    if not wanted.spans:
        return Unusable(f"{where} has no sensor that failed or was not decided; wanted at least one")
    return SensorSet.of(sensors.names[place] for place in wanted)


def _left_in_store(where: str, other: Run, spec: Spec, run: Run) -> InStore | Unusable:
    """Of a run whose list lies in the store: a pod finds the names, by places that its status has."""
    pinned, chunks = other.status.pinned, stored_chunks(other.status, spec)
    if pinned is None or chunks is None:
        raise AssertionError("a run whose list lies in the store has it in its status")
    if isinstance(run.spec, Spec) and run.spec.store != spec.store:
        return Unusable(f"{where} has its list in store {spec.store}; wanted this run's, {run.spec.store}")
    left = left_by(other.status, chunks)
    if not left["failed"] and not left["undecided"]:
        return Unusable(f"{where} has no sensor that failed or was not decided; wanted at least one")
    return InStore(Left(other.uid, pinned.sha256, left))
