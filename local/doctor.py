"""What the cluster needs: what is there, what is missing but will be installed, what cannot work and why.

Whether the kernel lets us is not read off version numbers but tried, each in a namespace that ends with the
try.
"""

import enum
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import azurite, build, cgroups, kind, mounts, packages, unpacked
from local.commands import find, run
from local.errors import LocalError
from local.places import Places

_BUILT = (build.KUBERNETES, build.CONTAINERD, build.ETCD, build.HELM, build.PAUSE)
_DISK_BARE_GIB, _DISK_BUILT_GIB, _MEMORY_GIB = 12, 3, 3
_GIB = 1 << 30
_OLDEST_GO = (1, 21)  # from then on Go fetches the toolchain that a module asks for, as a module
_OLDEST_NODE = (20, 0)


class State(enum.Enum):
    """How it stands with one need."""

    OK = "ok"
    MISSING = "missing"  # `up` will see to it
    WITHOUT = "without"  # `up` works, the demo goes on without it
    CANNOT = "CANNOT"  # `up` would fail


@dataclass(frozen=True)
class Finding:
    """One need of the cluster."""

    need: str
    state: State
    detail: str


def examine(places: Places) -> list[Finding]:
    """Look at everything that `up` needs here."""
    if kind.available():
        return [
            Finding("cluster", State.OK, "Docker answers and kind is there: kind is used"),
            *_azurite(places),
            _go(places, (build.HELM,)),
        ]
    findings = [_platform(), _root(), _checkout(places), _space(places), _memory(), _other_kubelet()]
    findings += [*_azurite(places), _go(places), *_packages(), *_monitoring(places)]
    if os.geteuid() == 0 and sys.platform == "linux":
        findings += [_control_groups(), *_kernel(places)]
    return findings


def report(findings: list[Finding]) -> str:
    """The findings as lines, with a closing one that says whether `up` can work."""
    width = max(len(finding.need) for finding in findings)
    lines = [f"{finding.state.value:8} {finding.need:{width}}  {finding.detail}" for finding in findings]
    if against := obstacles(findings):
        lines.append(f"the cluster cannot run here, because of: {', '.join(each.need for each in against)}")
    else:
        lines.append("the cluster can run here")
    return "\n".join(lines) + "\n"


def obstacles(findings: list[Finding]) -> list[Finding]:
    """Those that `up` would fail at."""
    return [finding for finding in findings if finding.state is State.CANNOT]


def require(places: Places) -> None:
    """Raise LocalError with all reasons if the cluster cannot run here: now, not after minutes of work."""
    if against := obstacles(examine(places)):
        reasons = "; ".join(f"{finding.need}: {finding.detail}" for finding in against)
        raise LocalError(f"the cluster cannot run on this machine: {reasons}")


def _finding(need: str, good: bool, detail: str, otherwise: str) -> Finding:
    return Finding(need, State.OK, detail) if good else Finding(need, State.CANNOT, otherwise)


def _platform() -> Finding:
    return _finding(
        "system", sys.platform == "linux", "Linux", f"containers need Linux, this is {sys.platform}"
    )


def _root() -> Finding:
    return _finding(
        "root",
        os.geteuid() == 0,
        "running as root",
        "a node needs root for namespaces and mounts (`up --control-plane-only` does not)",
    )


def _checkout(places: Places) -> Finding:
    odd = sorted(set(re.sub(r"[\w./@+=~-]", "", str(places.checkout))))
    return _finding(
        "checkout",
        not odd,
        f"{places.checkout}, namespace {places.name}",
        f"{places.checkout} holds {odd}, which debootstrap or mount options cannot bear: please move it",
    )


def _space(places: Places) -> Finding:
    built = all(build.is_built(places, module) for module in _BUILT)
    wanted = _DISK_BUILT_GIB if built else _DISK_BARE_GIB
    free = shutil.disk_usage(places.checkout).free / _GIB
    what = "the images" if built else "the build (Go's modules and build cache included) and the images"
    return _finding(
        "disk",
        free >= wanted,
        f"{free:.0f} GiB free",
        f"{free:.1f} GiB free, and {what} take about {wanted} GiB",
    )


def _memory() -> Finding:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    if found is None:
        return Finding("memory", State.OK, "unknown")
    free = int(found[1]) / (1 << 20)
    return _finding(
        "memory",
        free >= _MEMORY_GIB,
        f"{free:.0f} GiB free",
        f"{free:.1f} GiB free, {_MEMORY_GIB} are needed",
    )


def _other_kubelet() -> Finding:
    """The socket for device plugins has a fixed path: our kubelet would take it from another one."""
    return _finding(
        "kubelet",
        not Path("/var/lib/kubelet/config.yaml").exists(),
        "this machine is no node of another Kubernetes",
        "this machine is a node of another Kubernetes, whose device plugins ours would disturb",
    )


def _go(places: Places, modules: Sequence[build.Module] = _BUILT) -> Finding:
    unbuilt = [module.name for module in modules if not build.is_built(places, module)]
    if not unbuilt:
        return Finding("go", State.OK, "all programs are built")
    if find("go") is None:
        return Finding("go", State.CANNOT, f"not on PATH, and to be built are: {', '.join(unbuilt)}")
    said = run(["go", "version"], "go version").strip()
    if _version(said) < _OLDEST_GO:
        return Finding("go", State.CANNOT, f"{said}; wanted 1.21 or newer, 1.26 for the shortest way")
    return Finding("go", State.MISSING, f"{said}; to be built: {', '.join(unbuilt)}")


def _azurite(places: Places) -> Iterator[Finding]:
    node = find("node")
    said = run([node, "--version"], "node --version").strip() if node else "not on PATH"
    fits = node is not None and _version(said) >= _OLDEST_NODE
    yield _finding("node", fits, said, f"Azurite needs Node.js 20 or newer; found: {said}")
    if azurite.is_installed(places):
        yield Finding("azurite", State.OK, "installed")
    elif find("npm"):
        yield Finding("azurite", State.MISSING, "npm will install it")
    else:
        yield Finding("azurite", State.CANNOT, "npm installs it, and npm is not on PATH")


def _version(said: str) -> tuple[int, int]:
    """The first version that a program's words hold; (0, 0) without one."""
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _packages() -> Iterator[Finding]:
    for package in packages.PACKAGES:
        path = package.path()
        if path:
            yield Finding(package.program, State.OK, path)
        elif packages.can_install():
            yield Finding(
                package.program, State.MISSING, f"{package.purpose}; apt-get will install {package.name}"
            )
        else:
            yield Finding(package.program, State.CANNOT, f"{package.purpose}; please install it")


def _monitoring(places: Places) -> Iterator[Finding]:
    for program in unpacked.PROGRAMS.values():
        path = unpacked.existing(places, program.name)
        if path:
            yield Finding(program.name, State.OK, str(path))
        elif unpacked.can_fetch():
            what = f"{program.purpose}; apt-get will download it, and not install it"
            yield Finding(program.name, State.MISSING, what)
        else:
            yield Finding(program.name, State.WITHOUT, f"{program.purpose}; please install it")


def _control_groups() -> Finding:
    name = f"sensorscore-doctor-{os.getpid()}"
    version = "cgroup v2" if cgroups.unified() else "cgroup v1"
    try:
        cgroups.create(name)
    except OSError as problem:
        return Finding("cgroups", State.CANNOT, f"{version}: a control group cannot be made here ({problem})")
    finally:
        cgroups.remove(name)
    return Finding("cgroups", State.OK, version)


def _kernel(places: Places) -> Iterator[Finding]:
    """Try what the node needs of the kernel."""
    apart = ["unshare", "--net", "--mount"]
    yield _try("namespaces", [*apart, "true"], "network and mount namespaces")
    yield _try(
        "veth",
        [*apart, "ip", "link", "add", "name", "a", "type", "veth", "peer", "name", "b"],
        "links between them",
    )
    yield _try("bridge", [*apart, "ip", "link", "add", "name", "a", "type", "bridge"], "the pods' bridge")
    if find("nft"):
        rule = "add table ip t; add chain ip t c { type nat hook output priority -100; }"
        yield _try("nftables", [*apart, "nft", rule], "service addresses")
    yield Finding(
        "overlayfs",
        State.OK,
        "containers' root directories"
        if mounts.overlay_works(places.cache)
        else "not to be had on this disk: containers' root directories are copied, slowly",
    )


def _try(need: str, argv: list[str], purpose: str) -> Finding:
    try:
        run(argv, need)
    except LocalError as problem:
        return Finding(need, State.CANNOT, f"{purpose}: {str(problem).splitlines()[-1]}")
    return Finding(need, State.OK, purpose)


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
