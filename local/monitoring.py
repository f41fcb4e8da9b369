"""Prometheus and Alertmanager of the local cluster, at its node's address, with the chart's own rules."""

import json
from collections.abc import Sequence
from pathlib import Path

from local import alertmanager, prometheus, scraping
from local.alertmanager import Alertmanager
from local.controlplane import ControlPlane
from local.places import Places
from local.processes import Startable
from local.prometheus import Prometheus

RULES = "charts/sensorscore/files/rules/*.yaml"
EVERY = "2s"


class Monitoring(Startable):
    """Both programs; `start` starts what does not run yet, and looks for targets anew."""

    def __init__(self, plane: ControlPlane, address: str, prefix: Sequence[str]) -> None:
        self._plane = plane
        self._targets = plane.state / prometheus.NAME / "targets.json"
        state, places = plane.state, plane.places
        self.alertmanager = Alertmanager(
            state / alertmanager.NAME,
            places=places,
            address=address,
            port=alertmanager.PORT,
            prefix=prefix,
            detached=True,
        )
        self.prometheus = Prometheus(
            state / prometheus.NAME,
            scraping.listed(self._targets),
            rules=rules(places),
            alertmanager=self.alertmanager.address,
            every=EVERY,
            places=places,
            address=address,
            port=prometheus.PORT,
            prefix=prefix,
            detached=True,
        )

    def running(self) -> bool:
        """Whether both run and are ready."""
        return self.prometheus.running() and self.alertmanager.running()

    def start(self) -> None:
        """Start both, and wait until they are ready; what is scraped is what the cluster offers now."""
        self._targets.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        api = self._plane.api()
        services = api.call("GET", "/api/v1/services")["items"]
        slices = api.call("GET", "/apis/discovery.k8s.io/v1/endpointslices")["items"]
        part = self._targets.with_suffix(".part")
        part.write_text(json.dumps(scraping.annotated(services, slices)))
        part.replace(self._targets)  # Prometheus watches it
        self.alertmanager.start()
        self.prometheus.start()

    def stop(self) -> None:
        """End both."""
        self.prometheus.stop()
        self.alertmanager.stop()


def rules(places: Places) -> list[Path]:
    """The chart's rule files, as they are."""
    return [places.checkout / RULES]
