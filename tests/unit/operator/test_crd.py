"""The CRD's file itself; what the API server makes of it is tested on a real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CRD = yaml.safe_load(
    (Path(__file__).resolve().parents[3] / "crds/scoringruns.sensorscore.dev.yaml").read_text()
)
VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]["properties"]
MUTABLE = {"suspend", "parallelism", "ttlSecondsAfterFinished", "ttlSecondsAfterFailed"}


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All fields of a schema, with their paths."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from fields(inner, f"{path}.{name}")
    for inner, mark in ((schema.get("items"), "[]"), (schema.get("additionalProperties"), "{}")):
        if inner:
            yield from fields(inner, path + mark)


ALL = [*fields(SCHEMA["spec"], "spec"), *fields(SCHEMA["status"], "status")]


@pytest.mark.parametrize(("path", "schema"), [each for each in ALL if not each[0].endswith(("[]", "{}"))])
def test_every_field_explains_itself(path: str, schema: dict[str, Any]) -> None:
    assert len(schema["description"]) > 10


@pytest.mark.parametrize(("path", "schema"), ALL)
def test_everything_is_bounded(path: str, schema: dict[str, Any]) -> None:
    """The API server estimates what validation may cost from these bounds; and etcd has its limit."""
    kind = schema.get("type")
    if kind == "array":
        assert "maxItems" in schema
    elif kind == "string" and not {"enum", "format"} & schema.keys():
        assert "maxLength" in schema
    elif kind == "integer" and path.startswith("spec"):
        assert {"minimum", "maximum"} <= schema.keys() or "ttlSeconds" in path
    elif "additionalProperties" in schema:
        assert "maxProperties" in schema


def test_each_field_of_the_spec_is_mutable_or_guarded() -> None:
    """A new field must not be forgotten in the rules, which stand at the spec and not at the field."""
    rules = SCHEMA["spec"]["x-kubernetes-validations"]
    guarded = {rule["fieldPath"].removeprefix(".") for rule in rules if "immutable" in rule["message"]}
    assert guarded | MUTABLE == set(SCHEMA["spec"]["properties"])
    assert not guarded & MUTABLE


def test_no_part_of_the_status_keeps_unknown_fields() -> None:
    assert not any("x-kubernetes-preserve-unknown-fields" in schema for _, schema in ALL)


def test_people_see_the_columns_they_look_for() -> None:
    columns = {column["name"]: column for column in VERSION["additionalPrinterColumns"]}
    assert [name for name, column in columns.items() if not column.get("priority")] == [
        *("Phase", "Progress", "Failed", "Anomalies", "Age")
    ]
    assert CRD["spec"]["names"]["shortNames"] == ["srun"]
    assert "status" in VERSION["subresources"]
