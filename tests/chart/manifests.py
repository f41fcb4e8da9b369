"""Finds things among rendered manifests."""

from __future__ import annotations

from typing import Any

import yaml

from chart.rendering import Manifests


def of_kind(manifests: Manifests, kind: str) -> Manifests:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def only(manifests: Manifests, kind: str) -> dict[str, Any]:
    (manifest,) = of_kind(manifests, kind)
    return manifest


def named(manifests: Manifests, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    """The one of this kind, name and, where it is given, namespace."""
    (manifest,) = (
        manifest
        for manifest in of_kind(manifests, kind)
        if manifest["metadata"]["name"] == name and namespace in (None, manifest["metadata"].get("namespace"))
    )
    return manifest


def pod_templates(manifests: Manifests) -> list[tuple[str, dict[str, Any]]]:
    """Every pod that the manifests make, with the name of what makes it."""
    found = []
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if manifest["kind"] in ("CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet"):
            found.append((f"{manifest['kind']}/{manifest['metadata']['name']}", spec["template"]))
    return found


def settings_of(manifests: Manifests) -> dict[str, Any]:
    """The operator's settings file."""
    maps = [item for item in of_kind(manifests, "ConfigMap") if "settings.yaml" in item["data"]]
    (found,) = [item for item in maps if item["metadata"]["name"].endswith("-settings")]
    settings = yaml.safe_load(found["data"]["settings.yaml"])
    assert isinstance(settings, dict)
    return settings
