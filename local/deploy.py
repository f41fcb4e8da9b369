"""The product in the local cluster, installed as a user would: namespaces, a Secret, and the Helm release."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from local import images
from local.azurite import ACCOUNT, Azurite
from local.backend import Backend
from local.console import stage
from local.errors import LocalError
from local.places import Places
from local.tools import Tools

RELEASE = "sensorscore"
SYSTEM = "sensorscore-system"
NAMESPACE = "sensorscore-demo"
STORE_URL = f"azure://{ACCOUNT}/sensorscore"
SECRET = {"name": "sensorscore-storage", "key": "connection-string"}
_CHART = "charts/sensorscore"
# As on a cluster with a pool of its own for scoring; kind's worker node carries label and taint.
_POOL = {
    "nodeSelector": {"sensorscore.dev/pool": "scoring"},
    "tolerations": [{"key": "sensorscore.dev/scoring", "operator": "Exists", "effect": "NoSchedule"}],
}


@dataclass(frozen=True)
class Deployed:
    """What is there afterwards: the tools to speak to the cluster, and its Blob Storage."""

    tools: Tools
    azurite: Azurite


def deploy(
    places: Places,
    backend: Backend,
    more: Sequence[str] = (),
    also: Sequence[str] = (),
    absent: Sequence[str] = (),
) -> Deployed:
    """Install or upgrade everything; what is there already is left as it is.

    ScoringRuns may lie in the demo's namespace, and in `more` of them. They may name the runtimes of `also`
    beside the default one, and `absent` ones, whose image nobody has. Other images of `also` are there only.
    """
    namespaces = (NAMESPACE, *more)
    backend.up()
    tools = Tools.of(places, backend.kubeconfig)
    azurite = backend.azurite()
    with stage("Azurite"):
        azurite.start()
    built = {image.name: image.digest for image in backend.images(also)}
    with stage(f"namespaces {', '.join((SYSTEM, *namespaces))}, under Pod Security restricted"):
        tools.apply(*map(namespace, (SYSTEM, *namespaces)))
        tools.apply(*(secret(each, azurite.connection_string) for each in namespaces))
    with stage(f"helm upgrade --install {RELEASE} {_CHART}"):
        operator = built[images.name(places, "operator")]
        values = chart_values(azurite.endpoint, namespaces, operator)
        values["runtimes"] |= {word: _runtime(places, word) for word in also if word in images.RUNTIMES}
        values["runtimes"] |= {runtime: _absent(places, runtime) for runtime in absent}
        _release(places, tools, values)
    return Deployed(tools, azurite)


def chart_values(endpoint: str, namespaces: Sequence[str], operator_digest: str) -> dict[str, Any]:
    """The chart's values for this cluster: its storage, and who may use it."""
    return {
        "scoringNamespaces": list(namespaces),
        "stores": {
            "default": {
                "url": STORE_URL,
                "endpoint": endpoint,
                "allowHttp": True,
                "connectionStringSecret": dict(SECRET),
                "namespaces": list(namespaces),
            }
        },
        "runtimes": {"default": dict(_POOL)},
        # A rebuilt image has the old tag: this makes a new pod of it.
        "podAnnotations": {"sensorscore.dev/image": operator_digest},
    }


def _runtime(places: Places, runtime: str) -> dict[str, Any]:
    """A further runtime: the chart's default one with another image and more memory, on the scoring pool."""
    resources = {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
    return _of_image(places, images.name(places, images.RUNTIMES[runtime])) | {"resources": resources}


def _absent(places: Places, runtime: str) -> dict[str, Any]:
    """A runtime whose image is not to be had: what a mistyped tag is, for the tests."""
    return _of_image(places, f"localhost/nobody-has-this:{runtime}")


def _of_image(places: Places, name: str) -> dict[str, Any]:
    repository, _, tag = name.rpartition(":")
    values = yaml.safe_load((places.checkout / _CHART / "values.yaml").read_text())["runtimes"]["default"]
    return {**values, **_POOL, "image": {**values["image"], "repository": repository, "tag": tag}}


def namespace(name: str) -> dict[str, Any]:
    """A namespace under Pod Security restricted."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def secret(namespace: str, connection_string: str) -> dict[str, Any]:
    """The store's connection string, as pods of that namespace are given it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET["name"], "namespace": namespace},
        "stringData": {SECRET["key"]: connection_string},
    }


def _release(places: Places, tools: Tools, values: dict[str, Any]) -> None:
    where = f"--namespace={SYSTEM}"
    if RELEASE in tools.helm("list", "--pending", "--short", where).split():
        # Left by an installation that was killed; Helm refuses to work over it.
        tools.helm("uninstall", RELEASE, where)
    try:
        tools.helm(
            *("upgrade", "--install", RELEASE, str(places.checkout / _CHART), where),
            *("--values=-", "--wait", "--timeout=180s"),
            stdin=yaml.safe_dump(values),
        )
    except LocalError as error:
        raise LocalError(f"{error}\n{_last_words(tools)}") from error


def _last_words(tools: Tools) -> str:
    """What the operator's pod says, when it does not become ready."""
    try:
        pods = tools.kubectl("get", "pods", f"--namespace={SYSTEM}")
        logs = tools.kubectl("logs", f"--namespace={SYSTEM}", f"deployment/{RELEASE}", "--tail=5")
    except LocalError as error:
        return str(error)
    return f"{pods}{logs}".rstrip()
