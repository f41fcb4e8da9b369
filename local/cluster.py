"""The whole cluster of a checkout: control plane, one real node, Blob Storage, in a network namespace."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from local import cgroups, doctor, images, kwok, network, sweep
from local.api import ApiError
from local.azurite import PORT as AZURITE_PORT
from local.azurite import Azurite
from local.commands import run
from local.components import Endpoints
from local.console import say, stage
from local.controlplane import ControlPlane
from local.errors import LocalError
from local.images import Image
from local.locks import exclusive
from local.monitoring import Monitoring
from local.node import PROGRAMS, Node, is_ready
from local.nodeconfig import NODE
from local.places import Addresses, Places
from local.prepare import prepare


class Cluster:
    """One checkout's cluster; `up` and `down` may be called in any state, also after a kill amid either."""

    def __init__(self, places: Places | None = None) -> None:
        self.places = places or Places.here()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.places.kubeconfig

    @property
    def address(self) -> str:
        """The address that pods and this machine reach the API server and Blob Storage at."""
        return self._at().node

    def running(self) -> bool:
        """Whether the cluster is whole: every program runs, and the node is Ready."""
        if not self.places.state.exists():
            return False
        _require_root()
        at = self._recorded()
        if at is None or not self._state.is_dir():
            return False
        plane = self._plane(at)
        if not plane.running() or not all(map(plane.daemons.alive, PROGRAMS)):
            return False
        try:
            return is_ready(plane.api(), NODE)
        except (ApiError, OSError):
            return False

    def up(self, kwok_nodes: int = 0) -> None:
        """Bring the cluster up, unless it is, with so many simulated nodes beside the real one."""
        _require_root()
        with exclusive(self.places.cache, "cluster"):
            if self.running():
                say("  the cluster is up")
            else:
                doctor.require(self.places)
                prepare(self.places)
                self._start(images.pause(self.places))
            if kwok_nodes:
                plane = self.plane()
                kwok.start(self.places, plane.daemons, plane.kubeconfig, kwok_nodes)

    def down(self) -> None:
        """Remove the cluster and all its traces; what was built or downloaded stays."""
        if not self.places.state.exists() and not self.places.run.exists() and os.geteuid() != 0:
            say("  no cluster is up")
            return
        _require_root()
        with exclusive(self.places.cache, "cluster"), exclusive(self.places.images, "images"):
            if sweep.look(self.places):
                with stage("removing the cluster"):
                    sweep.sweep(self.places)
            else:
                say("  no cluster is up")
            shutil.rmtree(self.places.image_run, ignore_errors=True)

    def node(self) -> Node:
        """The real node of the running cluster."""
        at = self._at()
        return Node(self.places, self._plane(at), at)

    def plane(self) -> ControlPlane:
        """The control plane of the running cluster."""
        return self._plane(self._at())

    def images(self, also: Sequence[str] = ()) -> list[Image]:
        """Build the product images, and give the cluster those that it does not have yet."""
        _require_root()
        self._at()
        built = [images.product(self.places, part) for part in images.wanted(also)]
        record = self.places.state / "images.json"
        loaded = json.loads(record.read_text()) if record.is_file() else {}
        for image in built:
            if loaded.get(image.name) == image.digest:
                say(f"  the cluster has {image.name} as it is")
                continue
            with stage(f"loading {image.name}"):
                self.node().load(image.archive)
            loaded[image.name] = image.digest
            record.write_text(json.dumps(loaded))
        return built

    def azurite(self) -> Azurite:
        """The cluster's Blob Storage, started or not; pods and this machine reach it at its endpoint."""
        return Azurite(
            self._state / "azurite",
            places=self.places,
            address=self._at().node,
            port=AZURITE_PORT,
            prefix=network.enter(self.places),
            detached=True,
        )

    def monitoring(self) -> Monitoring:
        """The cluster's Prometheus and Alertmanager, started or not."""
        at = self._at()
        return Monitoring(self._plane(at), at.node, network.enter(self.places))

    @property
    def _record(self) -> Path:
        return self.places.state / "addresses.json"

    @property
    def _state(self) -> Path:
        """The state directory under a short name: sockets in it must have paths of less than 108 bytes."""
        return self.places.run / "state"

    def _recorded(self) -> Addresses | None:
        try:
            return Addresses(int(json.loads(self._record.read_text())["subnet"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _at(self) -> Addresses:
        at = self._recorded()
        if at is None or not self._state.is_dir():
            raise LocalError("no cluster is up; `python -m local up` starts one")
        return at

    def _plane(self, at: Addresses) -> ControlPlane:
        return ControlPlane(
            self._state,
            places=self.places,
            endpoints=Endpoints(at.node),
            prefix=network.enter(self.places),
            detached=True,
        )

    def _start(self, pause: Path) -> None:
        if sweep.look(self.places):
            with stage("removing what is left of an earlier cluster"):
                sweep.sweep(self.places)
        with stage("network namespace, directories, control group"):
            at = self._make_room()
        plane = self._plane(at)
        node = Node(self.places, plane, at)
        with stage("containerd"):
            node.start_containerd()
            node.load(pause)
        with stage("etcd, API server, controller manager, scheduler"):
            plane.start()
        with stage("kubelet, kube-proxy, until the node is Ready"):
            node.start_kubelet()

    def _make_room(self) -> Addresses:
        self.places.state.mkdir(mode=0o700, parents=True)
        self.places.run.mkdir(mode=0o700)
        self._state.mkdir()
        run(["mount", "--bind", self.places.state, self._state], "mounting the state directory")
        # Else each mount in it would show, and have to be removed, a second time in the checkout.
        run(["mount", "--make-private", self._state], "mounting the state directory")
        at = network.create(self.places)
        self._record.write_text(json.dumps({"subnet": at.subnet}))
        cgroups.create(self.places.name)
        return at


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LocalError("a cluster with a node needs root; without it there is `up --control-plane-only`")
