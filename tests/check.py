"""All checks besides tests. Runs every one, then names those that failed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from local.build import program
from local.places import Places

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CODE = ("operator", "scorer", "local", "examples", "charts", "requirements", "tests")
CHART = "charts/sensorscore"
KUBERNETES = ("1.34", "1.35", "1.36")
VALUES = ("examples/values-azure.yaml",)


class CheckError(Exception):
    """What a check found wrong, for people."""


def call(*command: str | Path, stdin: str | None = None) -> str:
    """Runs a tool; its output, or CheckError with it."""
    done = subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CheckError(f"{' '.join(str(part) for part in command)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def check_format() -> None:
    """The code is formatted."""
    call(BIN / "ruff", "format", "--check", *CODE)


def check_lint() -> None:
    """The linter finds nothing."""
    call(BIN / "ruff", "check", *CODE)


def check_types() -> None:
    """The types fit, strictly."""
    call(BIN / "mypy")


def check_layers() -> None:
    """Modules import downwards only."""
    call(BIN / "lint-imports")


def check_crd_copy() -> None:
    """The chart's copy of the CRD is its source."""
    for source in sorted((ROOT / "crds").glob("*.yaml")):
        copy = ROOT / CHART / "files" / "crds" / source.name
        if copy.read_bytes() != source.read_bytes():
            raise CheckError(f"{copy.relative_to(ROOT)} differs from crds/{source.name}: run `make crds`")


def check_values() -> None:
    """The chart's schema and its README's table are made from its values."""
    from charts import values_schema, values_table

    chart = ROOT / CHART
    source = (chart / "values.yaml").read_text(encoding="utf-8")
    readme = (chart / "README.md").read_text(encoding="utf-8")
    if values_table.with_table(readme, source) != readme:
        raise CheckError(f"{CHART}/README.md has another table: run `make values`")
    if values_schema.text() != (chart / "values.schema.json").read_text(encoding="utf-8"):
        raise CheckError(f"{CHART}/values.schema.json is not that of values.yaml: run `make values`")


def check_chart() -> None:
    """The chart passes Helm's linter, and what it renders fits each supported version of Kubernetes."""
    helm = program(Places.here(), "helm")
    for values in ((), *(("-f", file) for file in VALUES)):
        call(helm, "lint", "--strict", CHART, *values)
        manifests = call(helm, "template", "sensorscore", CHART, "--namespace", "sensorscore-system", *values)
        for version in KUBERNETES:
            call(BIN / "kubernetes-validate", "--strict", "-k", version, "-", stdin=without_crds(manifests))


def without_crds(manifests: str) -> str:
    """Rendered manifests less CustomResourceDefinitions: those are tested against the API server itself."""
    parts = [part for part in re.split(r"^---\n", manifests, flags=re.MULTILINE) if part.strip()]
    return "---\n".join(part for part in parts if "\nkind: CustomResourceDefinition" not in f"\n{part}")


def check_locks() -> None:
    """Lock files record names, versions and hashes only, never where a package was fetched from."""
    locks = [
        *ROOT.glob("requirements/*.txt"),
        *ROOT.glob("local/go/*/go.*"),
        *ROOT.glob("local/*/package-lock.json"),
    ]
    for lock in locks:
        # npm's locks also carry their authors' pages; `resolved` is what would be fetched.
        address = r'"resolved": "[^"]*' if lock.suffix == ".json" else r"https?://\S+"
        if found := re.search(address, lock.read_text(encoding="utf-8")):
            raise CheckError(f"{lock.relative_to(ROOT)} names an address: {found[0]}")


CHECKS: dict[str, Callable[[], None]] = {
    "format": check_format,
    "lint": check_lint,
    "types": check_types,
    "layers": check_layers,
    "CRD copy": check_crd_copy,
    "chart values": check_values,
    "chart": check_chart,
    "lock files": check_locks,
}


def say(text: str) -> None:
    """One line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Runs all checks; 1 if any failed."""
    failed = []
    for name, check in CHECKS.items():
        try:
            check()
        except CheckError as error:
            failed.append(name)
            say(f"✗ {name}\n{error}")
        else:
            say(f"✓ {name}")
    say(f"{len(CHECKS) - len(failed)} checks passed, {len(failed)} failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
