"""A real API server takes all that the chart can render, not only what its schema describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.rendering import run_helm
from chart.variants import VARIANTS
from local import build
from local.places import Places
from releases import namespace
from stack import Stack

pytestmark = pytest.mark.cluster

# The definitions of these are not in the cluster; tests/chart holds them to the Prometheus operator's own.
ABSENT = ("PodMonitor", "PrometheusRule", "ServiceMonitor")
SYSTEM = "sensorscore-rendered"
# The release that is there owns it.
OWNED = ("CustomResourceDefinition",)


@pytest.fixture(scope="module")
def namespaces(stack: Stack) -> Iterator[set[str]]:
    """Namespaces that were made for what is rendered; they go at the end, which takes them a while."""
    made: set[str] = set()
    yield made
    for each in made:
        stack.tools.kubectl("delete", "namespace", each, "--wait=false")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_takes_it(stack: Stack, tmp_path: Path, namespaces: set[str], variant: str) -> None:
    helm = build.program(Places.here(), "helm")
    verb = ["template", "--kube-version", "1.36.2"]
    done = run_helm(helm, verb, VARIANTS[variant], tmp_path, namespace=SYSTEM)
    assert done.returncode == 0, done.stderr
    manifests = [item for item in yaml.safe_load_all(done.stdout) if item]
    wanted = {item["metadata"]["namespace"] for item in manifests if "namespace" in item["metadata"]}
    for each in sorted(wanted - namespaces):
        namespace(stack.tools, each)
        namespaces.add(each)
    taken = [item for item in manifests if item["kind"] not in (*ABSENT, *OWNED)]
    # Server-side with strict fields: what it does not know is refused and not dropped.
    answer = stack.tools.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"),
        stdin=yaml.safe_dump_all(taken),
    )
    assert answer.count("serverside-applied") == len(taken)
