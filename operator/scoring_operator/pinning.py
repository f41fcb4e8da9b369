"""Finding a run's sensors, and pinning them: an immutable copy that pods and later operators read.

The copy is made before the first Job and owned by the run. Whatever happens to the source afterwards, the
run's chunks stay what they are; and an operator that starts in mid-run reads what the one before it read.
"""

from __future__ import annotations

from scoring_operator.chunks import SensorListError, SensorSet, check_names, read_list
from scoring_operator.cluster import CONFIG_MAPS, ApiError, Cluster
from scoring_operator.contract import Json
from scoring_operator.decision import Missing, Unusable
from scoring_operator.jobs import SENSORS_KEY, sensors_config_map, sensors_config_map_name
from scoring_operator.resource import Run, SensorSource


async def pin(cluster: Cluster, run: Run, source: SensorSource) -> SensorSet | Missing | Unusable:
    """The run's sensors, pinned. Raises `ApiError` where trying again may help."""
    if run.status.pinned:  # an operator before us has made the copy
        copy = await cluster.get(CONFIG_MAPS, run.namespace, run.status.pinned.config_map)
        if copy is not None:
            return _of_copy(run, copy)
    sensors = await _of_source(cluster, run, source)
    if not isinstance(sensors, SensorSet):
        return sensors
    if run.status.pinned and run.status.pinned.sha256 != sensors.sha256:
        return Unusable(
            f"ConfigMap {run.status.pinned.config_map} is gone, and its source is another list by now"
        )
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


def _of_copy(run: Run, copy: Json) -> SensorSet | Unusable:
    name = copy["metadata"]["name"]
    owners = copy["metadata"].get("ownerReferences") or ()
    if not any(owner["uid"] == run.uid for owner in owners):
        return Unusable(f"ConfigMap {name} is not this run's; wanted none of that name")
    try:
        return read_list(
            (copy.get("data") or {}).get(SENSORS_KEY, ""), f"ConfigMap {name}, key {SENSORS_KEY}"
        )
    except SensorListError as error:
        return Unusable(str(error))


async def _of_source(cluster: Cluster, run: Run, source: SensorSource) -> SensorSet | Missing | Unusable:
    try:
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
    except SensorListError as error:
        return Unusable(str(error))
