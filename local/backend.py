"""Which of the two ways to a cluster is taken on this machine; both can do the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from local import kind
from local.azurite import Azurite
from local.cluster import Cluster
from local.images import Image
from local.monitoring import Monitoring
from local.places import Places


class Backend(Protocol):
    """What one can do with a cluster, however it is made."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""

    @property
    def address(self) -> str:
        """The address at which pods and this machine reach what listens beside the cluster."""

    def running(self) -> bool:
        """Whether the cluster is up and whole."""

    def up(self, kwok_nodes: int = 0) -> None:
        """Bring it up."""

    def down(self) -> None:
        """Remove it."""

    def images(self, also: Sequence[str] = ()) -> list[Image]:
        """Build the product images, and those that `also` names, and give them to it."""

    def azurite(self) -> Azurite:
        """Its Blob Storage."""

    def monitoring(self) -> Monitoring:
        """Its Prometheus and Alertmanager. LocalError where there are none, and why."""


def choose(places: Places | None = None) -> Backend:
    """Kind where Docker and kind are there, else the cluster of our own."""
    return kind.Kind(places) if kind.available() else Cluster(places)
