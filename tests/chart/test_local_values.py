"""The local cluster's values are good ones."""

from __future__ import annotations

from chart.rendering import Render
from local.deploy import NAMESPACE, chart_values


def test_chart_takes_the_local_clusters_values(render: Render) -> None:
    manifests = render(chart_values("http://10.89.0.2:10000/devstoreaccount1", [NAMESPACE], "0f" * 8))
    named = {(manifest["kind"], manifest["metadata"].get("namespace")) for manifest in manifests}
    assert ("ServiceAccount", NAMESPACE) in named
    (pod,) = (manifest["spec"]["template"] for manifest in manifests if manifest["kind"] == "Deployment")
    assert pod["metadata"]["annotations"]["sensorscore.dev/image"] == "0f" * 8
