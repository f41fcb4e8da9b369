"""What Karpenter is told, and what a pool of its is."""

from pathlib import Path
from typing import Any, cast

from local import karpenter
from local.api import Api


class Created:
    """Takes objects in the API server's place."""

    def __init__(self) -> None:
        self.objects: list[tuple[str, Any]] = []

    def create(self, path: str, body: Any) -> None:
        self.objects.append((path, body))


def test_a_pool_has_the_labels_and_taints_and_no_node_to_begin_with() -> None:
    api, taint = Created(), {"key": "only", "value": "scoring", "effect": "NoSchedule"}
    karpenter.pool(cast(Api, api), "scoring", {"pool": "scoring"}, [taint], cpus=4)
    ((path, body),) = api.objects
    assert path == "/apis/karpenter.sh/v1/nodepools"
    template = body["spec"]["template"]
    assert template["metadata"]["labels"] == {"pool": "scoring"}
    assert template["spec"]["taints"] == [taint]
    wanted = {each["key"]: each["values"] for each in template["spec"]["requirements"]}
    assert wanted["karpenter.kwok.sh/instance-cpu"] == ["4"]
    assert "replicas" not in body["spec"]


def test_two_on_one_machine_do_not_meet() -> None:
    environment = karpenter.environment(Path("/x/kubeconfig"), [1, 2])
    assert environment["KUBECONFIG"] == "/x/kubeconfig"
    assert (environment["METRICS_PORT"], environment["HEALTH_PROBE_PORT"]) == ("1", "2")
    assert environment["DISABLE_LEADER_ELECTION"] == "true"
