"""Calls the real Helm on the chart."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "sensorscore"
Values = dict[str, Any]
Manifests = list[dict[str, Any]]
Render = Callable[..., Manifests]
Refusal = Callable[..., str]
Notes = Callable[..., str]


def run_helm(
    helm: Path,
    verb: list[str],
    values: Values,
    folder: Path,
    release: str = "sensorscore",
    namespace: str = "system",
) -> subprocess.CompletedProcess[str]:
    """One call of Helm with these values in a file; the release is `sensorscore` in `system` if not told."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    releases = [] if verb[0] == "lint" else [release]
    argv = [str(helm), *verb, *releases, str(CHART), "--namespace", namespace, "--values", str(file)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)
