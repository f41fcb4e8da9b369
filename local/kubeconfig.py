"""Kubeconfig files: how each program, and the developer, reaches the API server."""

import base64
from pathlib import Path

import yaml

from local.pki import Pair


def render(server: str, authority: Path, client: Pair, cluster: str = "sensorscore") -> str:
    """A kubeconfig that holds its certificates itself, so that it can be copied anywhere."""

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster,
                    "cluster": {"server": server, "certificate-authority-data": data(authority)},
                }
            ],
            "users": [
                {
                    "name": "user",
                    "user": {
                        "client-certificate-data": data(client.certificate),
                        "client-key-data": data(client.key),
                    },
                }
            ],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": "user"}}],
            "current-context": cluster,
        },
        sort_keys=False,
    )


def write(path: Path, text: str) -> Path:
    """Write a kubeconfig that only its owner may read, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)
    return path
