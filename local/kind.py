"""The cluster by kind, for machines with Docker: used when `docker info` answers and `kind` is on PATH.

Kept to the few commands that a developer would type; it could not be tried on the machines that this project
is built on, which have no Docker. Blob Storage is a process on this machine that listens on the address of
Docker's network for kind, so that pods and this machine reach it at one address: that takes Linux.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local import images, kwok, wheels
from local.azurite import PORT as AZURITE_PORT
from local.azurite import Azurite
from local.commands import find, run
from local.console import say, stage
from local.errors import LocalError
from local.images import Image
from local.monitoring import Monitoring
from local.places import Places
from local.processes import Daemons

_ANSWER_SECONDS = 10


def available() -> bool:
    """Whether a Docker engine answers and kind is there."""
    docker = find("docker")
    if docker is None or find("kind") is None:
        return False
    try:
        answer = subprocess.run([docker, "info"], capture_output=True, timeout=_ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0


class Kind:
    """The same as `local.cluster.Cluster`, by kind."""

    def __init__(self, places: Places | None = None) -> None:
        self.places = places or Places.here()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.places.kubeconfig

    @property
    def address(self) -> str:
        """This machine's address in kind's network."""
        form = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
        gateways = run(
            ["docker", "network", "inspect", "kind", "--format", form], "asking for kind's network"
        )
        return next(each for each in gateways.split() if ":" not in each)

    def running(self) -> bool:
        """Whether kind knows the cluster."""
        clusters = run(["kind", "get", "clusters"], "kind get clusters").split()
        return self.places.name in clusters and self.kubeconfig.is_file()

    def up(self, kwok_nodes: int = 0) -> None:
        """Bring the cluster up, unless it is."""
        if self.running():
            say("  the cluster is up")
        else:
            self.places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            config = self.places.checkout / "kind-config.yaml"
            with stage("kind create cluster"):
                self._kind("create", "cluster", "--config", str(config), "--kubeconfig", str(self.kubeconfig))
        if kwok_nodes:
            daemons = Daemons(self.places.state)
            kwok.start(self.places, daemons, self.kubeconfig, kwok_nodes)

    def down(self) -> None:
        """Remove the cluster and its files."""
        with stage("kind delete cluster"):
            self._kind("delete", "cluster")
            for daemons in (Daemons(self.places.state), Daemons(self.places.state / "azurite")):
                for name in daemons.names():
                    daemons.stop(name)
            shutil.rmtree(self.places.state, ignore_errors=True)

    def images(self, also: Sequence[str] = ()) -> list[Image]:
        """Build the product images by Docker, whose cache does what is unchanged, and load them."""
        built = []
        for part in images.wanted(also):
            name = images.name(self.places, part)
            context = wheels.third_party(self.places, part)
            wheels.own(self.places, part)
            dockerfile = images.dockerfile(self.places, part)
            with stage(f"docker build, kind load {name}"):
                run(["docker", "build", "--tag", name, "--file", dockerfile, context], "docker build")
                self._kind("load", "docker-image", name)
            built.append(Image(name, images.inputs_digest(self.places, part, ""), context))
        return built

    def azurite(self) -> Azurite:
        """Blob Storage, started or not, at an address that pods and this machine reach."""
        return Azurite(
            self.places.state / "azurite",
            places=self.places,
            address=self.address,
            port=AZURITE_PORT,
            detached=True,
        )

    def monitoring(self) -> Monitoring:
        """None: from this machine one cannot reach the pods of a kind cluster."""
        raise LocalError(
            "beside a kind cluster no Prometheus is started, since this machine does not reach its pods: "
            "install one in it (kube-prometheus-stack scrapes the operator by its Service)"
        )

    def _kind(self, *arguments: str) -> None:
        run(["kind", *arguments, "--name", self.places.name], f"kind {arguments[0]}")
