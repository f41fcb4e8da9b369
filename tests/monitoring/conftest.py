"""A real Prometheus and a real Alertmanager that watch the operator's process, with the chart's own rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controlplane.conftest import Operator, Runs, api, namespace, runs, until
from faults.api_proxy import ApiProxy
from local import scraping
from local.alertmanager import Alertmanager
from local.api import Api
from local.ports import free_ports
from local.prometheus import Prometheus
from monitoring import scaled

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

__all__ = ["api", "namespace", "runs"]

Json = dict[str, Any]
RULES = Path(__file__).resolve().parents[2] / "charts/sensorscore/files/rules"
FIRES_SECONDS = 60.0


class Watch:
    """Both programs on loopback, with rules whose durations are divided by `factor`."""

    def __init__(self, folder: Path, target: str, factor: int) -> None:
        rules = folder / "rules"
        rules.mkdir(parents=True)
        for path in sorted(RULES.glob("*.yaml")):
            (rules / path.name).write_text(scaled.rules(path.read_text(), factor))
        self.alertmanager = Alertmanager(folder / "alertmanager")
        self.prometheus = Prometheus(
            folder / "prometheus",
            scraping.static([target]),
            rules=[rules / "*.yaml"],
            alertmanager=self.alertmanager.address,
        )

    def __enter__(self) -> Watch:
        self.alertmanager.start()
        self.prometheus.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.prometheus.stop()
        self.alertmanager.stop()

    def firing(self, name: str) -> list[Json]:
        """What Alertmanager has of this alert."""
        return [alert for alert in self.alertmanager.alerts() if alert["labels"]["alertname"] == name]

    def fires(self, name: str, seconds: float = FIRES_SECONDS) -> list[Json]:
        """The alert, once Alertmanager has it."""
        found: list[Json] = until(f"{name} fires; {self.told()}", lambda: self.firing(name), seconds)
        return found

    def quiet(self, name: str, seconds: float = FIRES_SECONDS) -> None:
        """Wait until Alertmanager has it no more."""
        until(f"{name} has ended", lambda: not self.firing(name), seconds)

    def told(self) -> str:
        """Names of all alerts that fire."""
        return ", ".join(sorted({alert["labels"]["alertname"] for alert in self.alertmanager.alerts()}))

    def value(self, expression: str) -> float | None:
        """The one value of an expression; None when there is none."""
        found = self.prometheus.query(expression)
        return found[0].value if found else None


class Scene:
    """One namespace with an operator behind a proxy, scraped by a Prometheus."""

    def __init__(self, api: Api, runs: Runs, folder: Path, proxy: ApiProxy, factor: int) -> None:
        self.api = api
        self.runs = runs
        self.namespace = runs.namespace
        self.proxy = proxy
        self._folder = folder
        self._port = free_ports(1)[0]
        self._operator: Operator | None = None
        self.watch = Watch(folder / "watch", f"127.0.0.1:{self._port}", factor)

    @property
    def operator(self) -> Operator:
        """The operator that `start` started."""
        if self._operator is None:
            raise AssertionError("no operator was started")
        return self._operator

    def start(self, **settings: Any) -> None:
        """Start the operator with these settings over the usual ones, and wait until it is scraped."""
        self._operator = Operator(
            self.proxy.write_kubeconfig(self._folder / "proxied"),
            self._folder,
            [self.namespace],
            http={"port": self._port},
            **settings,
        )
        self._operator.start()
        until("the operator is scraped", lambda: self.watch.value("max(sensorscore_operator_build_info)"))

    def close(self) -> None:
        """End the operator, if it was started."""
        if self._operator is not None:
            self._operator.close()
            sys.stderr.write(self._operator.log.read_text()[-10_000:])


@contextmanager
def made(plane: ControlPlane, api: Api, runs: Runs, folder: Path, factor: int) -> Iterator[Scene]:
    """A scene whose operator is not started yet."""
    with ApiProxy(Path(plane.kubeconfig)) as proxy:
        scene = Scene(api, runs, folder, proxy, factor)
        with scene.watch:
            try:
                yield scene
            finally:
                scene.close()


@pytest.fixture
def scene(controlplane: ControlPlane, api: Api, runs: Runs, tmp_path: Path) -> Iterator[Scene]:
    """With rules on a fast clock."""
    with made(controlplane, api, runs, tmp_path, scaled.FACTOR) as scene:
        yield scene


@pytest.fixture
def unhurried(controlplane: ControlPlane, api: Api, runs: Runs, tmp_path: Path) -> Iterator[Scene]:
    """With rules as they are."""
    with made(controlplane, api, runs, tmp_path, 1) as scene:
        yield scene


def rule_names(kind: str) -> list[str]:
    """Names of all of the chart's rules of a kind: `alert` or `record`."""
    contents = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yaml"))]
    every = [rule for content in contents for group in content["groups"] for rule in group["rules"]]
    return [rule[kind] for rule in every if kind in rule]
