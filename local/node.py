"""The cluster's one real node: containerd, kubelet and kube-proxy, inside the cluster's namespace."""

import json
from collections.abc import Iterable
from pathlib import Path

from local import build, kubeconfig, mounts, nodeconfig, packages, pki
from local.api import Api, wait_until
from local.commands import SEARCH_PATH, program, run
from local.controlplane import ControlPlane
from local.errors import LocalError
from local.nodeconfig import NODE, NodePaths
from local.places import Addresses, Places

READY_SECONDS = 120  # about five seconds on an idle machine
PROGRAMS = ("containerd", "kubelet", "kube-proxy")


class Node:
    """The node of one cluster; its control plane must be up before `start_kubelet`."""

    def __init__(self, places: Places, plane: ControlPlane, at: Addresses) -> None:
        self.places, self.plane, self.at = places, plane, at
        self.paths = NodePaths(places.run, plane.state)
        self.daemons = plane.daemons

    def start_containerd(self) -> None:
        """Start containerd and wait until it answers."""
        binary = build.program(self.places, "containerd")
        paths = self.paths
        plugins = packages.cni_directory()
        if plugins is None:
            raise LocalError("the CNI plugins are missing on this machine")
        paths.cni_config.mkdir(exist_ok=True)
        network = json.dumps(nodeconfig.cni(self.places.name, paths), indent=1)
        (paths.cni_config / "10-bridge.conflist").write_text(network)
        # Where overlays do not work containers get copies of their image, which is slow, but works anywhere.
        snapshotter = "overlayfs" if mounts.overlay_works(paths.state) else "native"
        config = paths.state / "containerd.toml"
        config.write_text(nodeconfig.containerd_toml(paths, plugins, program("runc"), snapshotter))
        # containerd looks for its shim on PATH, and runs ip- and nft-like programs of the system.
        environment = {"PATH": f"{binary.parent}:{SEARCH_PATH}"}
        self.daemons.start("containerd", [binary, f"--config={config}"], environment)
        wait_until(
            "containerd to answer", self._containerd_answers, 60, lambda: self.daemons.check("containerd")
        )

    def ctr(self, *arguments: str) -> str:
        """Run containerd's own command line tool in the namespace of Kubernetes' images and containers."""
        binary = build.program(self.places, "ctr")
        socket = str(self.paths.containerd_socket)
        return run([binary, "--address", socket, "--namespace", "k8s.io", *arguments], f"ctr {arguments[0]}")

    def load(self, archive: Path) -> None:
        """Give an image archive to the node."""
        # By ctr itself: handing the archive to containerd in pieces takes twice as long.
        self.ctr("images", "import", "--local", "--all-platforms", str(archive))

    def images(self) -> set[str]:
        """Names of the images that the node has."""
        return set(self.ctr("images", "list", "--quiet").split())

    def start_kubelet(self) -> None:
        """Start kubelet and kube-proxy, and wait until the node is Ready."""
        self._write_credentials()
        state, programs = self.paths.state, build.ensure(self.places, build.KUBERNETES)
        (state / "resolv.conf").touch()
        (state / "kubelet.yaml").write_text(nodeconfig.kubelet(self.paths, self.at.node, self.places.name))
        (state / "kube-proxy.yaml").write_text(nodeconfig.kube_proxy(self.paths))
        system_path = {"PATH": SEARCH_PATH}
        argv = nodeconfig.kubelet_argv(programs["kubelet"], self.paths, self.at.node, nodeconfig.LABELS)
        self.daemons.start("kubelet", argv, system_path)
        proxy = [str(programs["kube-proxy"]), f"--config={state / 'kube-proxy.yaml'}"]
        self.daemons.start("kube-proxy", proxy, system_path)
        api = self.plane.api()
        _refuse_names(api)
        wait_until(
            "the node to be Ready",
            lambda: is_ready(api, NODE),
            READY_SECONDS,
            lambda: self.daemons.check(*PROGRAMS),
        )

    def _write_credentials(self) -> None:
        authority = pki.load_authority(self.plane.pki, "kubernetes")
        user = f"system:node:{NODE}"
        # It serves and calls under one name: the API server reaches it by address for logs and exec.
        kubelet = pki.issue(authority, "kubelet", user, "system:nodes", [self.at.node, NODE])
        proxy = pki.issue(authority, "kube-proxy", "system:kube-proxy")
        server = f"https://{self.at.node}:6443"
        for name, pair in (("kubelet", kubelet), ("kube-proxy", proxy)):
            text = kubeconfig.render(server, authority.files.certificate, pair)
            kubeconfig.write(self.paths.state / f"{name}.kubeconfig", text)

    def _containerd_answers(self) -> bool:
        try:
            self.ctr("version")
        except LocalError:
            return False
        return True


def is_ready(api: Api, name: str) -> bool:
    """Whether a node exists and its condition Ready is True."""
    path = f"/api/v1/nodes/{name}"
    if not api.answers(path):
        return False
    conditions: Iterable[dict[str, str]] = api.call("GET", path)["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _refuse_names(api: Api) -> None:
    """Make the service of cluster names, without anybody behind it: kube-proxy then refuses look-ups at once.

    There is no DNS server here. Without this a look-up would wait for many seconds before it fails.
    """
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns"},
        "spec": {
            "clusterIP": nodeconfig.DNS_ADDRESS,
            "ports": [{"name": proto.lower(), "protocol": proto, "port": 53} for proto in ("UDP", "TCP")],
        },
    }
    api.create("/api/v1/namespaces/kube-system/services", service)
