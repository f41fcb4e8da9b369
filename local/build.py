"""The Go programs that the cluster is made of: built once from pinned modules, kept under `.cache/bin`.

Each directory below `local/go` is a module of our own whose go.mod names the programs (`tool`) and whose
go.sum pins the digest of everything that goes into them. A program's place in the cache carries its version
and a digest of these two files, so a change of a pin builds anew and going back finds the old build again.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.commands import find, run
from local.console import stage
from local.errors import LocalError
from local.locks import exclusive
from local.places import Places

MODULES = Path(__file__).resolve().parent / "go"
_KUBERNETES_VERSION = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Module:
    """One module below `local/go`.

    `programs` maps a program to its package; `stamps` maps a variable that the linker sets to its value, in
    which {version}, {major} and {minor} are filled in; `probe` (arguments, pattern of what they print) says
    when a program of that name on PATH may be used instead; `files` are patterns of what lies in the module
    that it requires and is kept beside the programs, which want it in the cluster.
    """

    name: str
    requires: str
    programs: Mapping[str, str]
    stamps: Mapping[str, str] = field(default_factory=dict)
    probe: tuple[tuple[str, ...], str] | None = None
    files: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """Where its go.mod lies."""
        return MODULES / self.name

    @property
    def version(self) -> str:
        """The version that go.mod requires, e.g. "v1.36.2"; for a module of our own without one, "v0"."""
        if not self.requires:
            return "v0"
        text = (self.directory / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.requires)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise LocalError(f"{self.directory / 'go.mod'} does not require {self.requires}")
        return found[1]

    def link_flags(self) -> str:
        """Flags for the linker: stripped, with the version stamped in where the program asks for it."""
        major, minor = [*self.version.lstrip("v").split("."), "0"][:2]
        values = {"version": self.version, "major": major, "minor": minor}
        stamps = [f"-X {name}={value.format(**values)}" for name, value in self.stamps.items()]
        return " ".join(["-s", "-w", *stamps])

    def digest(self) -> str:
        """Short digest of all that decides what is built."""
        total = hashlib.sha256("\0".join([self.link_flags(), *self.files]).encode())
        for path in sorted(self.directory.iterdir()):
            total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return total.hexdigest()[:10]


KUBERNETES = Module(
    "kubernetes",
    "k8s.io/kubernetes",
    {
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        )
    },
    # Without a version the API server does not know which of its own features are on.
    {
        f"{_KUBERNETES_VERSION}.gitVersion": "{version}",
        f"{_KUBERNETES_VERSION}.gitMajor": "{major}",
        f"{_KUBERNETES_VERSION}.gitMinor": "{minor}",
    },
)
ETCD = Module(
    "etcd",
    "go.etcd.io/etcd/server/v3",
    {"etcd": "go.etcd.io/etcd/server/v3"},
    probe=(("--version",), r"etcd Version: 3\.6\."),
)
CONTAINERD = Module(
    "containerd",
    "github.com/containerd/containerd/v2",
    {
        name: f"github.com/containerd/containerd/v2/cmd/{name}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    {"github.com/containerd/containerd/v2/version.Version": "{version}"},
)
HELM = Module(
    "helm",
    "helm.sh/helm/v4",
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    {"helm.sh/helm/v4/internal/version.version": "{version}"},
    probe=(("version", "--short"), r"^v4\."),
)
KWOK = Module(
    "kwok",
    "sigs.k8s.io/kwok",
    {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    {"sigs.k8s.io/kwok/pkg/consts.Version": "{version}"},
    probe=(("--version",), r"v0\.[89]\."),
)
# The node autoscaler that AKS Node Auto-Provisioning is made of, with simulated nodes in place of Azure's.
# Its package is called `kwok` too.
KARPENTER = Module(
    "karpenter",
    "sigs.k8s.io/karpenter",
    {"karpenter": "sigs.k8s.io/karpenter/kwok"},
    files=("pkg/apis/crds/*.yaml", "kwok/apis/crds/*.yaml"),
)
PAUSE = Module("pause", "", {"pause": "."})
# The Helm before, which many still have: the chart's tests render with it too.
HELM3 = Module(
    "helm3",
    "helm.sh/helm/v3",
    {"helm3": "helm.sh/helm/v3/cmd/helm"},
    {"helm.sh/helm/v3/internal/version.version": "{version}"},
    probe=(("version", "--short"), r"^v3\."),
)
# Nothing is built of it: its definitions are what the chart's monitors and rules have to fit.
PROMETHEUS_OPERATOR = Module(
    "prometheus-operator",
    "github.com/prometheus-operator/prometheus-operator",
    {},
    files=tuple(
        f"example/prometheus-operator-crd/*_{kind}.yaml"
        for kind in ("podmonitors", "prometheusrules", "servicemonitors")
    ),
)

ALL = (KUBERNETES, ETCD, CONTAINERD, HELM, KWOK, KARPENTER, PAUSE, HELM3, PROMETHEUS_OPERATOR)


def module_of(program: str) -> Module:
    """The module that a program comes from."""
    for module in ALL:
        if program in module.programs:
            return module
    known = ", ".join(sorted(name for module in ALL for name in module.programs))
    raise LocalError(f"no program named {program!r}; there are {known}")


def ensure(places: Places, module: Module) -> dict[str, Path]:
    """Paths of a module's programs: those on PATH if they fit, else the cached build, else built now."""
    found = _on_path(module)
    if found:
        return found
    directory = _directory(places, module)
    paths = {name: directory / name for name in module.programs}
    if not directory.is_dir():
        with exclusive(places.bin, module.name):
            if not directory.is_dir():  # another process may have built it while we waited
                _build(module, directory)
    return paths


def program(places: Places, name: str) -> Path:
    """Path of one program, built if need be."""
    return ensure(places, module_of(name))[name]


def kept(places: Places, module: Module) -> Path:
    """Directory of a module's `files`, fetched if need be."""
    ensure(places, module)
    return _directory(places, module)


def _directory(places: Places, module: Module) -> Path:
    return places.bin / f"{module.name}-{module.version}-{module.digest()}"


def is_built(places: Places, module: Module) -> bool:
    """Whether `ensure` would find the programs without building."""
    directory = _directory(places, module)
    return directory.is_dir() or bool(_on_path(module))


def _on_path(module: Module) -> dict[str, Path] | None:
    if module.probe is None:
        return None
    arguments, pattern = module.probe
    paths: dict[str, Path] = {}
    for name in module.programs:
        path = shutil.which(name)
        if path is None:
            return None
        answer = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
        if not re.search(pattern, answer.stdout, re.MULTILINE):
            return None
        paths[name] = Path(path)
    return paths


def _build(module: Module, directory: Path) -> None:
    go = find("go")
    if go is None:
        raise LocalError(
            f"Go is needed to build {module.name} {module.version}, and there is no `go` on PATH"
        )
    names = ", ".join(module.programs) or "no program, files only"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (
        stage(f"go build {module.name} {module.version} ({names})"),
        tempfile.TemporaryDirectory(dir=directory.parent) as scratch,
    ):
        target = Path(scratch) / "out"
        target.mkdir()
        if module.programs:
            _compile(go, module, target)
        _keep_files(go, module, target)
        target.rename(directory)


def _compile(go: str, module: Module, target: Path) -> None:
    # One call for all of a module's programs: compiling them together shares the work.
    # A trailing slash makes it a directory even for one program, which go then names by its package.
    run(
        [
            go,
            "build",
            "-trimpath",
            "-ldflags",
            module.link_flags(),
            "-o",
            f"{target}/",
            *module.programs.values(),
        ],
        f"go build of {module.name} {module.version}",
        cwd=module.directory,
        env={"CGO_ENABLED": "0"},
    )
    built = [path for path in target.iterdir() if path.is_file()]
    if len(module.programs) == 1 and len(built) == 1:
        built[0].rename(target / next(iter(module.programs)))


def _keep_files(go: str, module: Module, target: Path) -> None:
    if not module.files:
        return
    # A module of which nothing was compiled is not there yet.
    run([go, "mod", "download", module.requires], f"go mod download of {module.name}", cwd=module.directory)
    where = run(
        [go, "list", "-m", "-f", "{{.Dir}}", module.requires],
        f"go list of {module.name}",
        cwd=module.directory,
    )
    for pattern in module.files:
        for path in Path(where.strip()).glob(pattern):
            shutil.copyfile(path, target / path.name)
