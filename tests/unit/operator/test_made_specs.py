"""Specs that the fault tests make of the CRD: a new field needs values, found without a cluster."""

from __future__ import annotations

import pytest

from faults.specs import REFUSED, TAKEN, Specs, paths, spec_schema

SENSORS = {"names": ["a"]}


@pytest.mark.parametrize("seed", range(30))
def test_every_field_has_values_to_try(seed: int) -> None:
    specs = Specs(seed)
    spec = specs.valid(SENSORS)
    for _ in range(10):
        field, patch, _ = specs.change(spec)
        assert patch.keys() == {field}


def test_values_belong_to_fields_that_are_there() -> None:
    known = {path for path, _ in paths(spec_schema())}
    assert TAKEN.keys() | REFUSED.keys() <= known


def test_every_array_of_the_schema_has_values_to_take_and_to_refuse() -> None:
    arrays = {path for path, schema in paths(spec_schema()) if schema.get("type") == "array"}
    made = {path for path in arrays if not path.startswith("sensors.")}
    assert made <= TAKEN.keys() & REFUSED.keys()
