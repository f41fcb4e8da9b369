"""The chart's ServiceAccounts, roles and bindings in a control plane, and people who have some of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from controlplane.conftest import until
from local import kubeconfig
from local.api import Api

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

Json = dict[str, Any]
CHART = Path(__file__).resolve().parents[2] / "charts" / "sensorscore"
RELEASE = "sensorscore"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PLACES = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": RBAC + "/namespaces/{}/roles",
    "RoleBinding": RBAC + "/namespaces/{}/rolebindings",
    "ClusterRole": RBAC + "/clusterroles",
    "ClusterRoleBinding": RBAC + "/clusterrolebindings",
}


def rendered(helm: Path, namespace: str, **values: Any) -> list[Json]:
    """What the chart makes of `values` in a release namespace, as Helm renders it."""
    argv = [str(helm), "template", RELEASE, str(CHART), f"--namespace={namespace}", "--values=-"]
    done = subprocess.run(
        argv, input=yaml.safe_dump(values), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def install(api: Api, manifests: list[Json]) -> list[Json]:
    """Makes the accounts, roles and bindings among them; gives those back."""
    ours = [manifest for manifest in manifests if manifest["kind"] in PLACES]
    for manifest in ours:
        path = PLACES[manifest["kind"]].format(manifest["metadata"].get("namespace"))
        api.create(path, manifest)
    return ours


def as_account(plane: ControlPlane, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig with a token of a ServiceAccount, as a pod has it."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = plane.api().call("POST", path, asked)["status"]["token"]
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    return kubeconfig.write(folder / f"{namespace}-{account}.kubeconfig", json.dumps(config))


def person(plane: ControlPlane, namespace: str, role: Json, folder: Path, name: str = "tenant") -> Api:
    """Somebody who has a ClusterRole, or Role, in one namespace and nothing else."""
    api = plane.api()
    api.create(PLACES["ServiceAccount"].format(namespace), {"metadata": {"name": name}})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", **role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    api.create(PLACES["RoleBinding"].format(namespace), binding)
    them = Api(as_account(plane, namespace, name, folder))
    runs = f"/apis/sensorscore.dev/v1alpha1/namespaces/{namespace}/scoringruns"
    until("the authorizer knows the binding", lambda: them.answers(runs))
    return them
