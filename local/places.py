"""Names, addresses and directories of one checkout's cluster, all derived from the checkout's path.

Two checkouts on one machine therefore never meet: each has its own network namespace, link names, subnet,
cgroup and socket directory.
"""

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

SUBNETS = 250
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"


@dataclass(frozen=True)
class Places:
    """Where everything of one checkout lies, and what it is called on the machine."""

    checkout: Path

    @classmethod
    def here(cls) -> "Places":
        """Those of the checkout that this package lies in."""
        return cls(Path(__file__).resolve().parent.parent)

    @property
    def ident(self) -> str:
        """Six hex digits of the path's digest."""
        return hashlib.sha256(os.fsencode(self.checkout)).hexdigest()[:6]

    @property
    def name(self) -> str:
        """Name of the network namespace, the cgroup, the CNI network and the run directory."""
        return f"sensorscore-{self.ident}"

    @property
    def host_link(self) -> str:
        """The machine's end of the link into the namespace; link names have at most 15 characters."""
        return f"sensor-{self.ident}h"

    @property
    def node_link(self) -> str:
        """The namespace's end of that link."""
        return f"sensor-{self.ident}n"

    @property
    def cache(self) -> Path:
        """Everything that is kept between clusters lies directly here."""
        return self.checkout / ".cache"

    @property
    def bin(self) -> Path:
        """Built programs, by version."""
        return self.cache / "bin"

    @property
    def state(self) -> Path:
        """The running cluster's own files; removed by `down`."""
        return self.cache / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's way into the cluster."""
        return self.state / "kubeconfig"

    @property
    def run(self) -> Path:
        """Sockets: their paths must be shorter than 108 bytes, and a checkout may lie deep."""
        return Path("/run") / self.name

    @property
    def images(self) -> Path:
        """Built images, and what they are built from."""
        return self.cache / "images"

    @property
    def image_storage(self) -> Path:
        """Buildah's storage."""
        return self.images / "storage"

    @property
    def image_run(self) -> Path:
        """Buildah's short-lived files; not below `run`, since images are built without a cluster too."""
        return self.run.with_name(f"{self.name}-images")

    @property
    def netns(self) -> Path:
        """The network namespace's handle."""
        return Path("/var/run/netns") / self.name

    def subnet_candidates(self) -> list[int]:
        """Third bytes of 10.89.N.0/30 to try, in order: the path's own first."""
        first = int(self.ident, 16) % SUBNETS
        return [(first + step) % SUBNETS + 1 for step in range(SUBNETS)]


@dataclass(frozen=True)
class Addresses:
    """The two ends of the link between machine and namespace."""

    subnet: int

    @property
    def host(self) -> str:
        """The machine's address."""
        return f"10.89.{self.subnet}.1"

    @property
    def node(self) -> str:
        """The node's address: API server, kubelet and Azurite listen there."""
        return f"10.89.{self.subnet}.2"


def choose_subnet(places: Places, used: Collection[int]) -> Addresses:
    """The first of the checkout's candidates that nobody uses."""
    for candidate in places.subnet_candidates():
        if candidate not in used:
            return Addresses(candidate)
    raise ValueError("all subnets 10.89.1.0/30 to 10.89.250.0/30 are in use")
