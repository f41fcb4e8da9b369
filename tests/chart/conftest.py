"""Renders the chart with the real Helm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from chart.rendering import Manifests, Notes, Refusal, Render, Values, run_helm


@pytest.fixture
def render(helm: Path, tmp_path: Path) -> Render:
    """Manifests of a release `sensorscore` in namespace `system`."""

    def call(
        values: Values | None = None, release: str = "sensorscore", apis: Sequence[str] = (), **more: str
    ) -> Manifests:
        known = [f"--api-versions={api}" for api in apis]
        verb = ["template", "--kube-version", "1.36.2", *known]
        done = run_helm(helm, verb, values or {}, tmp_path, release, **more)
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    return call


@pytest.fixture
def refusal(helm: Path, tmp_path: Path) -> Refusal:
    """What Helm says to values that it must not take."""

    def call(values: Values, kube: str = "1.36.2") -> str:
        done = run_helm(helm, ["template", "--kube-version", kube], values, tmp_path)
        assert done.returncode != 0, "Helm took these values"
        return done.stderr

    return call


@pytest.fixture
def notes(helm: Path, tmp_path: Path) -> Notes:
    """What Helm prints after an installation."""

    def call(values: Values | None = None) -> str:
        done = run_helm(helm, ["install", "--dry-run=client"], values or {}, tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    return call
