"""The demo's own objects there: the hub's double, the fleet, a receiver of anomalies; their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples.stream.clock import Clock

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
PODS = Path(__file__).resolve().parent / "pods"
DOUBLE = ROOT / "tests" / "eventhubs"
HUB, FLEET, RECEIVER, CLOCK = "stream-hub", "stream-fleet", "stream-receiver", "stream-clock"
"""Names of objects."""
ENTITY, PARTITIONS = "readings", 4
AMQP, CONTROL, HTTP = 5672, 5673, 8080
SECRET = {"name": HUB, "key": "connection-string"}
FILES = "/stream"
"""Where pods have the demo's files."""


def files(name: str, namespace: str, paths: Sequence[Path]) -> Json:
    """A ConfigMap with these files."""
    data = {path.name: path.read_text(encoding="utf-8") for path in paths}
    return _object("ConfigMap", name, namespace) | {"data": data}


def clock_files(namespace: str) -> Json:
    """What makes a pod's Python go by the demo's clock."""
    return files(CLOCK, namespace, [PODS / "sitecustomize.py"])


def clocked(clock: Clock) -> tuple[list[Json], list[Json], list[Json]]:
    """Environment, volumes and their places of a pod that goes by the demo's clock."""
    environment = [
        {"name": "STREAM_CLOCK", "value": clock.text},
        {"name": "PYTHONPATH", "value": FILES},
    ]
    return environment, [_volume(CLOCK)], [{"name": CLOCK, "mountPath": FILES}]


def service(name: str, namespace: str, port: int) -> Json:
    """A Service of the pods of that name."""
    ports = [{"name": "it", "port": port, "targetPort": port}]
    return _object("Service", name, namespace) | {"spec": {"selector": {"app": name}, "ports": ports}}


def hub(namespace: str, image: str, clock: Clock, address: str) -> list[Json]:
    """The double of Event Hubs: the tests' own, whose events come by the demo's clock."""
    command = ["python3", "-m", "eventhubs", f"--hub={ENTITY}={PARTITIONS}", "--host=0.0.0.0"]
    command += [f"--name={address}", f"--port={AMQP}", f"--control-port={CONTROL}", f"--clock={clock.text}"]
    pod = _pod(HUB, image, command, {"PYTHONPATH": FILES}, place=f"{FILES}/eventhubs", port=AMQP)
    return [files(HUB, namespace, sorted(DOUBLE.glob("*.py"))), _deployment(HUB, namespace, pod)]


def receiver(namespace: str, image: str) -> list[Json]:
    """Where anomalies are posted to."""
    pod = _pod(RECEIVER, image, ["python3", f"{FILES}/receiver.py"], {}, port=HTTP)
    return [files(RECEIVER, namespace, [PODS / "receiver.py"]), _deployment(RECEIVER, namespace, pod)]


def fleet(
    namespace: str, image: str, clock: Clock, connection_string: str, options: Sequence[str]
) -> list[Json]:
    """The devices: they begin with the clock, and send as fast as it goes."""
    command = [
        "python3",
        f"{FILES}/begin.py",
        "send",
        f"--hub={ENTITY}",
        f"--speed={clock.speed:g}",
        *options,
    ]
    told = {"STREAM_CLOCK": clock.text, "EVENTHUB_CONNECTION_STRING": connection_string}
    pod = _pod(FLEET, image, command, told)
    pod["spec"]["restartPolicy"] = "Never"
    job = _object("Job", FLEET, namespace, "batch/v1") | {"spec": {"backoffLimit": 0, "template": pod}}
    return [files(FLEET, namespace, [PODS / "begin.py"]), job]


def secret(namespace: str, connection_string: str) -> Json:
    """The way to the hub, as ingest is given it."""
    return _object("Secret", HUB, namespace) | {"stringData": {SECRET["key"]: connection_string}}


def _pod(
    name: str,
    image: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    place: str = FILES,
    port: int | None = None,
) -> Json:
    container: Json = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "volumeMounts": [{"name": name, "mountPath": place, "readOnly": True}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if port is not None:
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [_volume(name)],
    }
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


def _deployment(name: str, namespace: str, pod: Json) -> Json:
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pod}
    return _object("Deployment", name, namespace, "apps/v1") | {"spec": spec}


def _object(kind: str, name: str, namespace: str, version: str = "v1") -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def _volume(name: str) -> Json:
    return {"name": name, "configMap": {"name": name}}
