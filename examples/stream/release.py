"""The chart's values of the demo: ingest, sink, and a schedule, which goes by the demo's clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from examples.stream import objects
from examples.stream.clock import Clock
from local.azurite import ACCOUNT
from local.deploy import RELEASE, SYSTEM
from local.deploy import SECRET as STORE_SECRET
from local.tools import Tools

STORE = "stream"
URL = f"azure://{ACCOUNT}/{STORE}"
"""A container of its own."""
SCHEDULE, SINK = "stream", "receiver"
LEAST = 3
"""Anomalies of a sensor in an hour that its people are told of."""
CRON = f"sensorscore-schedule-{SCHEDULE}"
INGEST = {"app.kubernetes.io/component": "ingest"}
WINDOW = "10s"
LATE = "15m"
"""Of which a busy machine may need some: they are 15 of its seconds."""
CHART = objects.ROOT / "charts" / "sensorscore"


def values(namespace: str, endpoint: str, clock: Clock, receiver: str) -> dict[str, Any]:
    """What comes to an installation's values. `receiver` is the address of where anomalies are posted to."""
    return {
        "stores": {STORE: _store(namespace, endpoint)},
        "sinks": {SINK: _sink(namespace, receiver)},
        "ingest": _ingest(namespace, clock),
        "schedules": {SCHEDULE: _schedule(namespace, clock)},
        "networkPolicy": {"eventHubs": {"ports": [objects.AMQP]}},
    }


def _store(namespace: str, endpoint: str) -> dict[str, Any]:
    return {
        "url": URL,
        "endpoint": endpoint,
        "allowHttp": True,
        "connectionStringSecret": dict(STORE_SECRET),
        "namespaces": [namespace],
    }


def _sink(namespace: str, receiver: str) -> dict[str, Any]:
    return {
        "type": "webhook",
        "url": f"http://{receiver}:{objects.HTTP}/",
        "allowHttpHosts": [receiver],
        "namespaces": [namespace],
        # One in a few hundred readings of a sensor in order is an anomaly by chance.
        "minAnomalies": LEAST,
        # The demo's hours are long over by the machine's clock: to a sink they were backfills.
        "maxAgeSeconds": 10 * 366 * 86_400,
    }


def _ingest(namespace: str, clock: Clock) -> dict[str, Any]:
    environment, volumes, places = objects.clocked(clock)
    return {
        "enabled": True,
        "namespace": namespace,
        "replicas": 2,
        "hub": {"name": objects.ENTITY, "connectionStringSecret": dict(objects.SECRET)},
        "store": STORE,
        "mapping": {
            "sensor": "device-{Device}-tag-{Tag}",
            "values": "Value",
            "time": "TS",
            "over": ["Device"],
        },
        "window": {"size": WINDOW},
        "columns": {"value": "avg"},
        "ordering": {
            "lateArrival": LATE,
            "onLateArrival": "Drop",
            "outOfOrder": "1m",
            "onOutOfOrder": "Drop",
        },
        # A minute of the machine's is an hour here: all that is usually seconds has to be quick.
        "rates": {"commit": "1s", "land": "1s", "monitor": "2s", "balance": "1s", "expire": "5s"},
        "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
        "extraEnv": environment,
        "extraVolumes": volumes,
        "extraVolumeMounts": places,
    }


def _schedule(namespace: str, clock: Clock) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "cron": "* * * * *",
        # Until its pods go by the demo's clock: to the machine's, all hours of the demo are long over.
        "suspend": True,
        "startFrom": f"{clock.then:%Y-%m-%dT%H:%M:%SZ}",
        "run": {
            "store": STORE,
            "sensors": {"discover": {"from": "Models"}},
            "sensorsPerJob": 5,
            "sinks": [SINK],
            "readings": {"waitFor": {"timeoutSeconds": 600, "onTimeout": "Fail"}},
        },
    }


def install(tools: Tools, more: dict[str, Any], chart: Path = CHART) -> None:
    """The release as it is, and these values, until all its pods are ready."""
    tools.helm(
        *("upgrade", RELEASE, str(chart), f"--namespace={SYSTEM}", "--reset-then-reuse-values"),
        *("--values=-", "--wait", "--timeout=300s"),
        stdin=yaml.safe_dump(more),
    )


def start_schedule(tools: Tools, namespace: str, clock: Clock) -> None:
    """Lets the schedule go on, by the demo's clock."""
    environment, volumes, places = objects.clocked(clock)
    container = {"name": "schedule", "env": environment, "volumeMounts": places}
    pod = {"spec": {"containers": [container], "volumes": volumes}}
    _patch(tools, namespace, {"suspend": False, "jobTemplate": {"spec": {"template": pod}}})


def stop_schedule(tools: Tools, namespace: str) -> None:
    """No further hours are scored."""
    _patch(tools, namespace, {"suspend": True})


def _patch(tools: Tools, namespace: str, spec: dict[str, Any]) -> None:
    tools.kubectl("patch", "cronjob", CRON, f"--namespace={namespace}", "--patch", json.dumps({"spec": spec}))
