"""values.yaml, its schema, its table in the README, and the copy of the CRD say the same."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from charts import values_schema, values_table
from charts.values_schema import SchemaError, schema

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "sensorscore"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def test_crd_in_the_chart_is_a_copy_of_the_source() -> None:
    sources = {file.name: file.read_bytes() for file in (ROOT / "crds").glob("*.yaml")}
    copies = {file.name: file.read_bytes() for file in (CHART / "files" / "crds").glob("*.yaml")}
    assert copies == sources, "run `make crds`"


def test_readme_table_is_made_from_the_values() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    source = (CHART / "values.yaml").read_text(encoding="utf-8")
    assert values_table.with_table(readme, source) == readme, "run `make values`"


def test_schema_is_made_from_the_values() -> None:
    text = (CHART / "values.schema.json").read_text(encoding="utf-8")
    assert text == values_schema.text(), "run `make values`"
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)


CRD: dict[str, Any] = {
    "spec": {
        "versions": [
            {
                "schema": {
                    "openAPIV3Schema": {
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["a", "window"],
                                "properties": {
                                    "a": {
                                        "type": "string",
                                        "description": "x",
                                        "x-kubernetes-list-type": "set",
                                    },
                                    "limit": {"x-kubernetes-int-or-string": True},
                                    "window": {"type": "object"},
                                },
                            }
                        }
                    }
                }
            }
        ]
    }
}


def made(values: str, forms: str = "entryName: {type: string}") -> dict[str, Any]:
    properties = schema(values, forms, CRD)["properties"]
    properties.pop("global")
    return dict(properties)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ("a: true", {"type": "boolean"}),
        ("a: 1", {"type": "integer"}),
        ("# Said.\n#\n# More.\na: x", {"type": "string", "description": "Said."}),
        ("# @schema {minimum: 1}\na: 1", {"type": "integer", "minimum": 1}),
        ("# @schema {form: entryName}\na: x", {"$ref": "#/definitions/entryName"}),
        (
            "# @schema {form: entryName, maxLength: 3}\na: x",
            {"allOf": [{"$ref": "#/definitions/entryName"}], "maxLength": 3},
        ),
        (
            "# @schema {items: entryName, uniqueItems: true}\na: []",
            {"type": "array", "items": {"$ref": "#/definitions/entryName"}, "uniqueItems": True},
        ),
        (
            "# @schema {also: {c: entryName}}\na:\n  b: 1",
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {"b": {"type": "integer"}, "c": {"$ref": "#/definitions/entryName"}},
            },
        ),
        (
            "# @schema {each: own}\na:\n  first:\n    b: 1",
            {
                "type": "object",
                "propertyNames": {"$ref": "#/definitions/entryName"},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"b": {"type": "integer"}},
                },
            },
        ),
    ],
)
def test_a_keys_schema_is_made_of_default_and_comment(values: str, wanted: dict[str, Any]) -> None:
    assert made(values) == {"a": wanted}


def test_a_runs_spec_comes_from_its_definition_and_lets_no_unknown_key_through() -> None:
    forms = "entryName: {type: string}\nrun: {crd: spec, without: [window]}"
    assert schema("a: 1", forms, CRD)["definitions"]["run"] == {
        "type": "object",
        "required": ["a"],
        "additionalProperties": False,
        "properties": {"a": {"type": "string"}, "limit": {"type": ["integer", "string"]}},
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("a: []", "a: its default [] does not say its form; add a line # @schema above"),
        ("a:\n  b: {}", "a.b: its default {}"),
        ("# @schema {form: absent}\na: 1", "values_forms.yaml has no form 'absent'; it has entryName"),
    ],
)
def test_comments_that_say_too_little_are_refused(values: str, words: str) -> None:
    with pytest.raises(SchemaError) as refused:
        made(values)
    assert words in str(refused.value)


TEMPLATES = {
    file.name: file.read_text(encoding="utf-8") for file in (CHART / "templates").iterdir() if file.is_file()
}
USED = {
    tuple(path.split("."))
    for text in TEMPLATES.values()
    for path in re.findall(r"\.Values\.([A-Za-z0-9_.]+)", text)
}


def test_every_value_that_a_template_asks_for_is_there() -> None:
    absent = []
    for path in USED:
        inner: Any = VALUES
        for name in path:
            if not isinstance(inner, dict) or name not in inner:
                absent.append(".".join(path))
                break
            inner = inner[name]
    assert absent == []


def test_every_value_is_used_by_a_template() -> None:
    unused = []
    for path in leaves(VALUES):
        within = [used for used in USED if path[: len(used)] == used]
        name = "resources" if "resources" in path else path[-1]
        # Where a template takes a section whole, its last name is asked for by itself: `.interval`.
        if not within or not (
            path in within
            or any(
                len(used) == 1 and used[0] in ("runtimes", "stages", "limits", "resources") for used in within
            )
            or any(re.search(rf"[.]{name}\b", text) for text in TEMPLATES.values())
        ):
            unused.append(".".join(path))
    assert unused == []


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict) and values:
        for name, child in values.items():
            yield from leaves(child, (*path, name))
    else:
        yield path


def test_every_value_is_explained_above_it() -> None:
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


def test_charts_example_of_a_run_is_one() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    (example,) = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    crd = yaml.safe_load((ROOT / "crds" / "scoringruns.sensorscore.dev.yaml").read_text(encoding="utf-8"))
    (version,) = crd["spec"]["versions"]
    jsonschema.Draft202012Validator(version["schema"]["openAPIV3Schema"]).validate(example)
    (listed,) = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    assert (listed["name"], listed["version"]) == (crd["metadata"]["name"], version["name"])


@pytest.mark.parametrize("part", ["operator", "scorer"])
def test_chart_installs_the_version_beside_it(part: str) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / part / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["appVersion"] == project["version"]
