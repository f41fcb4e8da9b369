import tomllib
from pathlib import Path

import yaml

from local import kwok, nodeconfig
from local.nodeconfig import NodePaths

PATHS = NodePaths(Path("/run/sensorscore-aaaaaa"), Path("/run/sensorscore-aaaaaa/state"))
CONTAINERD = tomllib.loads(
    nodeconfig.containerd_toml(PATHS, Path("/usr/lib/cni"), "/usr/sbin/runc", "overlayfs")
)


def paths_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [path for each in value.values() for path in paths_in(each)]
    if isinstance(value, list):
        return [path for each in value for path in paths_in(each)]
    return [value] if isinstance(value, str) and value.startswith("/") else []


def test_containerd_writes_nowhere_but_below_our_directories() -> None:
    ours = [path for path in paths_in(CONTAINERD) if not path.startswith(("/usr/lib/cni", "/usr/sbin/runc"))]
    assert len(ours) >= 5
    assert all(path.startswith("/run/sensorscore-aaaaaa/") for path in ours)


def test_containerd_can_run_without_the_right_to_lower_oom_scores() -> None:
    runtime = CONTAINERD["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["netns_mounts_under_state_dir"] is True
    runc = runtime["containerd"]["runtimes"]["runc"]
    assert (runc["runtime_type"], runc["options"]["SystemdCgroup"]) == ("io.containerd.runc.v2", False)


def test_pods_start_with_our_own_pause_image() -> None:
    images = CONTAINERD["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"]["sandbox"] == nodeconfig.PAUSE_IMAGE


def test_pods_addresses_are_noted_below_our_directories() -> None:
    (bridge,) = nodeconfig.cni("sensorscore-aaaaaa", PATHS)["plugins"]  # type: ignore[misc]
    assert bridge["ipam"]["dataDir"] == "/run/sensorscore-aaaaaa/state/ipam"
    assert bridge["ipMasq"] is False


def test_the_kubelet_keeps_pods_in_our_own_control_group() -> None:
    config = yaml.safe_load(nodeconfig.kubelet(PATHS, "10.89.7.2", "sensorscore-aaaaaa"))
    assert config["cgroupRoot"] == "/sensorscore-aaaaaa"
    assert config["failCgroupV1"] is False
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["containerRuntimeEndpoint"] == "unix:///run/sensorscore-aaaaaa/containerd.sock"


def test_the_node_belongs_to_the_scoring_pool() -> None:
    argv = nodeconfig.kubelet_argv(Path("kubelet"), PATHS, "10.89.7.2", nodeconfig.LABELS)
    assert "--node-labels=sensorscore.dev/pool=scoring" in argv
    assert "--node-ip=10.89.7.2" in argv


def test_kube_proxy_leaves_the_machine_s_connection_table_alone() -> None:
    config = yaml.safe_load(nodeconfig.kube_proxy(PATHS))
    assert config["mode"] == "nftables"
    assert config["conntrack"] == {"maxPerCore": 0, "min": 0}


def test_simulated_nodes_repel_pods_that_want_to_run_for_real() -> None:
    node = kwok.node("kwok-3")
    assert node["spec"] == {
        "taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]
    }
    assert node["metadata"]["labels"]["type"] == "kwok"  # type: ignore[index]


def test_kwok_has_the_stages_without_which_nothing_moves() -> None:
    stages = list(yaml.safe_load_all(kwok.STAGES.read_text()))
    assert {stage["kind"] for stage in stages} == {"Stage"}
    assert {stage["metadata"]["name"] for stage in stages} == {
        "node-initialize",
        "pod-ready",
        "pod-complete",
        "pod-delete",
    }
