"""What tests/privileges.py makes of rules and audit lines."""

import json
from pathlib import Path
from typing import Any

from privileges import Difference, difference, granted, requests

USER = "system:serviceaccount:system:operator"
ROLE = {
    "kind": "Role",
    "metadata": {"name": "r", "namespace": "a"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        {"apiGroups": ["batch"], "resources": ["jobs/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mark"], "verbs": ["get"]},
    ],
}
BINDING = {
    "kind": "RoleBinding",
    "metadata": {"name": "b", "namespace": "a"},
    "roleRef": {"kind": "Role", "name": "r"},
    "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": "system"}],
}


def line(verb: str, resource: str, decision: str = "allow", **more: Any) -> str:
    found = {"resource": resource, "namespace": "a", **more}
    annotations = {"authorization.k8s.io/decision": decision}
    body = {"user": {"username": USER}, "verb": verb, "objectRef": found, "annotations": annotations}
    return json.dumps(body) + "\n"


def compared(tmp_path: Path, *lines: str) -> Difference:
    log = tmp_path / "audit.jsonl"
    log.write_text("".join(lines))
    return difference(granted([ROLE, BINDING])[USER], requests(log))


def test_all_that_is_granted_is_used(tmp_path: Path) -> None:
    used = (
        line("list", "pods"),
        line("watch", "pods"),
        line("patch", "jobs", apiGroup="batch", subresource="status", name="j"),
        line("get", "configmaps", name="mark"),
        json.dumps({"user": {"username": USER}, "verb": "get", "requestURI": "/apis", "annotations": {}})
        + "\n",
        '{"half a li',
    )
    assert compared(tmp_path, *used) == ([], [], [])


def test_what_is_not_used_and_what_is_not_granted_is_named(tmp_path: Path) -> None:
    asked = (
        line("watch", "pods"),
        line("patch", "jobs", apiGroup="batch"),
        line("get", "configmaps", name="theirs"),
        line("get", "secrets", "forbid", name="s"),
    )
    assert compared(tmp_path, *asked) == (
        ["get configmaps mark", "list pods", "patch jobs/status.batch"],
        ["get configmaps", "get secrets", "patch jobs.batch"],
        ["get secrets in a"],
    )
