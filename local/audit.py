"""The API server's audit log: what each ServiceAccount of the product asked for, and whether it was allowed.

Tests hold it against the RBAC rules that the chart gives. Kubernetes' own controllers are left out: they make
nearly all requests, and their rights are not ours.
"""

import json
from pathlib import Path
from typing import Any

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}


def log(state: Path) -> Path:
    """A line of JSON for each request: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/"""
    return state / "audit.jsonl"


def flags(state: Path) -> list[str]:
    """The API server's, for a policy that lies in its state folder."""
    # Its default for a log file: a request is answered once its line is written.
    return [f"--audit-policy-file={_policy(state)}", f"--audit-log-path={log(state)}"]


def write_policy(state: Path) -> None:
    """Must be there before the API server starts. JSON is YAML."""
    _policy(state).write_text(json.dumps(POLICY))


def _policy(state: Path) -> Path:
    return state / "audit-policy.json"
