"""Helm releases in the cluster: the tests' own, as all other tests expect it, and further ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.backend import Backend
from local.deploy import RELEASE, SECRET, SYSTEM, Deployed, chart_values, deploy
from local.places import Places
from local.tools import Tools

NAMESPACE = "sensorscore-tests"
CHART = Path(__file__).resolve().parents[2] / "charts" / "sensorscore"
# The chart as it was before schedules and monitoring, with the ScoringRun's definition of then:
# `git archive 95a7f27 charts/sensorscore | tar x && helm package charts/sensorscore --version 0.0.9`
PREVIOUS = Path(__file__).resolve().parent / "previous" / "sensorscore-0.0.9.tgz"
CRD = "scoringruns.sensorscore.dev"


def install(places: Places, backend: Backend) -> Deployed:
    """The release that the tests run against; it is brought back to this, whatever it is like."""
    return deploy(places, backend, [NAMESPACE], also=["sklearn"], absent=["absent"])


@dataclass(frozen=True)
class Release:
    """One release, and how it is installed: with the charts' own defaults, but for storage and nodes."""

    tools: Tools
    endpoint: str
    name: str = RELEASE
    namespace: str = SYSTEM

    def helm(self, verb: str, *arguments: str, values: dict[str, Any] | None = None) -> str:
        """One call of Helm on the release."""
        given = ("--values=-",) if values is not None else ()
        stdin = yaml.safe_dump(values) if values is not None else None
        return self.tools.helm(
            verb, self.name, *arguments, f"--namespace={self.namespace}", *given, stdin=stdin
        )

    def values(self, namespaces: Sequence[str], **more: Any) -> dict[str, Any]:
        """What each chart here understands."""
        return chart_values(self.endpoint, namespaces, "tests") | more

    def install(self, chart: Path, namespaces: Sequence[str], **more: Any) -> str:
        """`helm upgrade --install`, until its pod is ready."""
        wait = ("--install", "--wait", "--timeout=120s")
        return self.helm("upgrade", str(chart), *wait, values=self.values(namespaces, **more))

    def uninstall(self) -> str:
        """`helm uninstall`, until its objects are gone."""
        return self.helm("uninstall", "--wait", "--timeout=120s")

    def as_user(self, kubeconfig: Path) -> Release:
        """The same by somebody else's hand."""
        tools = Tools(self.tools.kubectl_path, self.tools.helm_path, kubeconfig)
        return Release(tools, self.endpoint, self.name, self.namespace)


def crd_has(tools: Tools, field: str) -> bool:
    """Whether the ScoringRun's definition in the cluster has that field of the spec."""
    found = tools.get("crd", CRD)
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    return field in schema["spec"]["properties"]


def namespace(tools: Tools, name: str, connection_string: str = "") -> None:
    """A namespace under Pod Security restricted, with the store's Secret if there is one."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    tools.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    if connection_string:
        secret = {"kind": "Secret", "apiVersion": "v1", "stringData": {SECRET["key"]: connection_string}}
        tools.apply(secret | {"metadata": {"name": SECRET["name"], "namespace": name}})


def objects(tools: Tools, *arguments: str) -> list[dict[str, Any]]:
    """Items of `kubectl get`."""
    items: list[dict[str, Any]] = json.loads(tools.kubectl("get", *arguments, "--output=json"))["items"]
    return items
