"""The commands of the runbooks, as they stand there, against a real API server."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controlplane.conftest import manifest
from local.api import Api

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
RUN, CRON_JOB = "hourly-20260101t1300z", "sensorscore-schedule-hourly"
# What needs a kubelet.
OF_PODS = ("logs", "port-forward")
TEMPLATE = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}


def commands() -> list[str]:
    """Those of all pages, each once: on lines of their own, and in tables."""
    pages = [page.read_text(encoding="utf-8") for page in sorted(RUNBOOKS.glob("*.md"))]
    found = [
        each for page in pages for each in re.findall(r"(?:^    |`)(kubectl [^`\n]*)", page, re.MULTILINE)
    ]
    return [each for each in dict.fromkeys(found) if not any(word in each for word in OF_PODS)]


@pytest.fixture(scope="module")
def described(api: Api) -> None:
    """What the pages are about, by the names that stand in them."""
    for name in ("scoring", "sensorscore-system"):
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    there = "namespaces/scoring"
    api.create(f"/apis/sensorscore.dev/v1alpha1/{there}/scoringruns", manifest(RUN))
    cron = {"schedule": "5 * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}
    api.create(f"/apis/batch/v1/{there}/cronjobs", {"metadata": {"name": CRON_JOB}, "spec": cron})
    api.create(f"/api/v1/{there}/configmaps", {"metadata": {"name": CRON_JOB}, "data": {"a": "b"}})
    system = "/apis/coordination.k8s.io/v1/namespaces/sensorscore-system/leases"
    api.create(system, {"metadata": {"name": "sensorscore"}, "spec": {"holderIdentity": "x"}})


@pytest.mark.parametrize("command", commands())
def test_a_command_of_a_runbook_can_be_typed_as_it_stands(
    controlplane: ControlPlane, described: None, command: str
) -> None:
    program, *arguments = shlex.split(command)
    assert program == "kubectl"
    done = subprocess.run(
        [controlplane.kubectl, *arguments],
        env={**os.environ, "KUBECONFIG": str(controlplane.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
