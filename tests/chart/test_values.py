"""values.yaml, its schema, its table in the README, and the copy of the CRD say the same."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "sensorscore"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def values_table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("values_table", ROOT / "charts" / "values_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_crd_in_the_chart_is_a_copy_of_the_source() -> None:
    sources = {file.name: file.read_bytes() for file in (ROOT / "crds").glob("*.yaml")}
    copies = {file.name: file.read_bytes() for file in (CHART / "files" / "crds").glob("*.yaml")}
    assert copies == sources, "run `make crds`"


def test_readme_table_is_made_from_the_values(values_table: ModuleType) -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    source = (CHART / "values.yaml").read_text(encoding="utf-8")
    assert values_table.with_table(readme, source) == readme, "run `python charts/values_table.py`"


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict) and values:
        for name, child in values.items():
            yield from leaves(child, (*path, name))
    else:
        yield path


def test_every_value_is_explained_above_it(values_table: ModuleType) -> None:
    explained = {row.path for row in values_table.rows((CHART / "values.yaml").read_text(encoding="utf-8"))}
    sections = {path[:-1] for path in explained}
    missing = [
        path
        for path in leaves(VALUES)
        # A section that explains some of its keys one by one has to explain all of them.
        if not any(
            path[:depth] in explained for depth in range(len(path), 0, -1) if path[:depth] not in sections
        )
    ]
    assert missing == []


def test_schema_knows_no_key_that_the_values_do_not_explain() -> None:
    # `global` is what Helm itself hands to a chart that is part of another.
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)


def objects_of(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            yield path, schema
        for name, child in schema.items():
            yield from objects_of(child, f"{path}/{name}")


@pytest.mark.parametrize(("path", "schema"), list(objects_of(SCHEMA)))
def test_schema_refuses_unknown_keys_everywhere(path: str, schema: dict[str, Any]) -> None:
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("part", ["operator", "scorer"])
def test_chart_installs_the_version_beside_it(part: str) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / part / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["appVersion"] == project["version"]
