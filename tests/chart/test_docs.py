"""What docs say of the chart is true: each command is one that Helm takes, each file of values renders."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from chart.rendering import CHART, Render

ROOT = CHART.parents[1]
PAGES = (
    "docs/install.md",
    "docs/security.md",
    "charts/sensorscore/README.md",
    "README.md",
    "examples/README.md",
)
# What pages have in capitals for the reader to fill in.
PLACES = {"ACCOUNT/CONTAINER": "account/container", "REGISTRY/": "registry.example.com/"}
KNOWN = {"REGISTRY": "registry.example.com", "ACCOUNT": "account", "CLIENT_ID": "id", "GROUP": "group"}
# Of an installation only; `helm template` knows none of them.
DROPPED = ("--install", "--create-namespace", "--reset-then-reuse-values", "--take-ownership", "--wait")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)


def commands(page: str) -> list[list[str]]:
    """Helm's commands on the chart, as lists of arguments with its variables filled in."""
    text = "\n".join([*blocks(page, "sh"), *re.findall(r"(?:^ {4,}.+\n)+", (ROOT / page).read_text(), re.M)])
    lines = text.replace("\\\n", " ").splitlines()
    filled = [re.sub(r"\$([A-Z_]+)", lambda name: KNOWN.get(name[1], name[0]), line) for line in lines]
    for place, filling in PLACES.items():
        filled = [line.replace(place, filling) for line in filled]
    helm = [line.strip().partition(" | ")[0] for line in filled if line.strip().startswith("helm ")]
    return [shlex.split(line) for line in helm if " charts/sensorscore" in line and "…" not in line]


@pytest.fixture
def values_files(tmp_path: Path) -> Path:
    """A folder with the files of values that docs/install.md shows."""
    for block in blocks("docs/install.md", "yaml"):
        name = re.match(r"# (\S+\.yaml)\n", block)
        assert name is not None, block
        (tmp_path / name[1]).write_text(block, encoding="utf-8")
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.parametrize(
    ("page", "command"),
    [(page, command) for page in PAGES for command in commands(page)],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[1:3]),
)
def test_helm_takes_each_command(helm: Path, values_files: Path, page: str, command: list[str]) -> None:
    _, verb, *arguments = command
    assert verb in ("install", "template", "upgrade")
    kept = [argument for argument in arguments if argument not in DROPPED]
    api = "--api-versions=monitoring.coreos.com/v1"
    # Helm asks no cluster for a template and takes its own version: the printed command has to say one.
    kube = [] if verb == "template" else ["--kube-version=1.36.2"]
    # What such an upgrade keeps of the installation.
    store = [
        "--set=stores.default.url=azure://account/container",
        "--set=stores.default.workloadIdentity=true",
    ]
    before = store if "--reset-then-reuse-values" in arguments else []
    argv = [str(helm), "template", *kept, *before, *kube, api]
    done = subprocess.run(
        argv, cwd=values_files, capture_output=True, text=True, env={"HOME": os.environ["HOME"]}
    )
    assert done.returncode == 0, done.stderr


def test_there_are_commands_to_try() -> None:
    assert len(commands("docs/install.md")) >= 6
    assert all(commands(page) for page in PAGES)


def test_each_file_of_values_renders(render: Render, values_files: Path) -> None:
    for file in sorted(values_files.glob("*.yaml")):
        apis = ["monitoring.coreos.com/v1", "azmonitoring.coreos.com/v1"]
        assert render(yaml.safe_load(file.read_text(encoding="utf-8")), apis=apis)


def test_links_lead_somewhere() -> None:
    for page in ("docs/install.md", "charts/sensorscore/README.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"
