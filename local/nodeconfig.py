"""Configuration of the node's programs, as pure functions: containerd, its bridge, kubelet and kube-proxy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from local.places import POD_CIDR

NODE = "sensorscore-node"
PAUSE_IMAGE = "localhost/sensorscore-pause:1"
DNS_ADDRESS = "10.96.0.10"
LABELS = {"sensorscore.dev/pool": "scoring"}  # the pool that scoring pods select; one node, so no taint


@dataclass(frozen=True)
class NodePaths:
    """Where the node keeps its things: sockets and short-lived files in `run`, the rest in `state`."""

    run: Path
    state: Path

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.run / "containerd.sock"

    @property
    def kubelet_root(self) -> Path:
        """Pods' volumes."""
        return self.state / "kubelet"

    @property
    def cni_config(self) -> Path:
        """Directory that containerd reads the pods' network from."""
        return self.state / "cni"


def containerd_toml(paths: NodePaths, cni_plugins: Path, runc: str, snapshotter: str) -> str:
    """Containerd's configuration (version 3): everything it writes lies in directories of its own."""
    return f"""version = 3
root = "{paths.state}/containerd"
state = "{paths.run}/containerd"
disabled_plugins = [
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.differ.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
address = "{paths.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{paths.state}/opt"

[plugins."io.containerd.metadata.v1.bolt"]
# This cluster need not survive the machine's power, and each container costs a dozen writes.
no_sync = true

[plugins."io.containerd.cri.v1.images"]
snapshotter = "{snapshotter}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
# Where CAP_SYS_RESOURCE is missing, runc cannot lower a container's OOM score and dies without saying so.
restrict_oom_score_adj = true
disable_apparmor = true
# So that left-over pod networks are found (and are ours to remove) after a kill.
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{cni_plugins}"]
conf_dir = "{paths.cni_config}"
[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
Root = "{paths.run}/runc"
SystemdCgroup = false
"""


def cni(name: str, paths: NodePaths) -> dict[str, object]:
    """The pods' network: one bridge, addresses counted up; no masquerade, so nothing leaves the namespace."""
    return {
        "cniVersion": "1.0.0",
        "name": name,
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(paths.state / "ipam"),
                    "ranges": [[{"subnet": POD_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def kubelet(paths: NodePaths, address: str, cgroup: str) -> str:
    """The kubelet's configuration (kubelet.config.k8s.io/v1beta1)."""
    pki = paths.state / "pki"
    return _yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": address,
            "authentication": {
                "anonymous": {"enabled": False},
                "x509": {"clientCAFile": str(pki / "kubernetes.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki / "kubelet.crt"),
            "tlsPrivateKeyFile": str(pki / "kubelet.key"),
            "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "oomScoreAdj": 0,
            "podLogsDir": str(paths.state / "pod-logs"),
            "volumePluginDir": str(paths.state / "volume-plugins"),
            "staticPodPath": "",
            "resolvConf": str(paths.state / "resolv.conf"),
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": "cluster.local",
            # A developer's disk is often nearly full, and no image is ever to be fetched again from anywhere.
            "evictionHard": {
                "memory.available": "64Mi",
                "nodefs.available": "256Mi",
                "nodefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "maxPods": 240,
            "serializeImagePulls": False,
            "kubeAPIQPS": 500,
            "kubeAPIBurst": 1000,
            "eventRecordQPS": 0,
        }
    )


def kubelet_argv(binary: Path, paths: NodePaths, address: str, labels: Mapping[str, str]) -> list[str]:
    """The kubelet's command line: what its configuration file cannot hold."""
    return [
        str(binary),
        f"--config={paths.state / 'kubelet.yaml'}",
        f"--kubeconfig={paths.state / 'kubelet.kubeconfig'}",
        f"--root-dir={paths.kubelet_root}",
        f"--cert-dir={paths.state / 'pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={address}",
        f"--node-labels={','.join(f'{key}={value}' for key, value in labels.items())}",
    ]


def kube_proxy(paths: NodePaths) -> str:
    """kube-proxy's configuration (kubeproxy.config.k8s.io/v1alpha1)."""
    return _yaml(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": NODE,
            "clientConnection": {"kubeconfig": str(paths.state / "kube-proxy.kubeconfig")},
            "clusterCIDR": POD_CIDR,
            # Two pods on one bridge: without it the answer would go straight back, from an address never
            # asked.
            "nftables": {"masqueradeAll": True},
            # The connection table is the machine's, not the namespace's: leave its size alone.
            "conntrack": {"maxPerCore": 0, "min": 0},
            "oomScoreAdj": 0,
        }
    )


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False)
