"""kubectl and Helm by their own command lines: every step taken here in a cluster can be typed as well."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from local import build
from local.commands import find
from local.errors import LocalError
from local.places import Places


@dataclass(frozen=True)
class Tools:
    """The two programs, and the cluster that they speak to."""

    kubectl_path: Path
    helm_path: Path
    kubeconfig: Path

    @classmethod
    def of(cls, places: Places, kubeconfig: Path) -> "Tools":
        """Those of this checkout, built if need be."""
        return cls(_kubectl(places), build.program(places, "helm"), kubeconfig)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. LocalError with what it complains of."""
        return _run("kubectl", self._argv(self.kubectl_path, arguments), stdin)

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """What helm prints. LocalError with what it complains of."""
        return _run("helm", self._argv(self.helm_path, arguments), stdin)

    def apply(self, *manifests: dict[str, Any]) -> None:
        """`kubectl apply` of these."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(listed))

    def get(self, *arguments: str) -> dict[str, Any]:
        """One object or list, as kubectl gives it."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return found

    @contextmanager
    def watch(self, *arguments: str, form: str, seconds: float) -> Iterator[Iterator[str]]:
        """A line at each change of an object, by `kubectl get --watch`, for at most so long."""
        argv = self._argv(self.kubectl_path, ("get", *arguments, "--watch", f"--output=jsonpath={form}"))
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            over = Timer(seconds, process.kill)
            over.start()
            try:
                yield iter(process.stdout or ())
            finally:
                over.cancel()
                process.kill()

    def _argv(self, program: Path, arguments: Sequence[str]) -> list[str]:
        return [str(program), f"--kubeconfig={self.kubeconfig}", *arguments]


def _kubectl(places: Places) -> Path:
    """With a cluster of our own it is built anyway; with kind the one on PATH spares building Kubernetes."""
    found = find("kubectl")
    if found and not build.is_built(places, build.KUBERNETES):
        said = subprocess.run([found, "version", "--client"], capture_output=True, text=True, check=False)
        if re.search(r"v1\.3[4-9]\.", said.stdout):
            return Path(found)
    return build.program(places, "kubectl")


def _run(name: str, argv: list[str], stdin: str | None) -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        what = " ".join(argv[2:6])
        raise LocalError(f"`{name} {what}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
