"""Writes the chart's values.schema.json from values.yaml: types from the defaults, the rest from comments.

A comment line `@schema {…}` above a key holds what its default cannot say, as a YAML mapping of JSON Schema's
keywords and of these:

- `form: NAME` is a form of values_forms.yaml, `items: NAME` a list of it, `each: NAME` a map of it by name;
- `each: own` is a map whose entries all have the form of the first;
- `also: {key: NAME}` are keys that may be there though values.yaml has none.

In values_forms.yaml, `crd: spec` is a ScoringRun's spec as its definition says, less what is in `without`.

Run `python -m charts.values_schema` after a change of either file; a test holds them equal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from charts.values_table import Key, keys

HERE = Path(__file__).resolve().parent
CHART = HERE / "sensorscore"
FORMS = HERE / "values_forms.yaml"
CRD = HERE.parent / "crds" / "scoringruns.sensorscore.dev.yaml"
ENTRY = "entryName"
Json = dict[str, Any]


class SchemaError(Exception):
    """The comments do not say enough of a value, or too much."""


def schema(source: str, forms_source: str, crd: Mapping[str, Any]) -> Json:
    """The JSON Schema of a values file. Raises SchemaError."""
    found = {key.path: key for key in keys(source)}
    forms = {name: _form(form, crd) for name, form in yaml.safe_load(forms_source).items()}
    top = _of(yaml.safe_load(source), (), found)
    # What Helm itself hands to a chart that is part of another.
    top["properties"]["global"] = {"type": "object"}
    told = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the Sensorscore chart"}
    whole = {**told, **top, "definitions": forms}
    _check_references(whole, forms)
    return whole


def _of(value: Any, path: tuple[str, ...], found: Mapping[tuple[str, ...], Key]) -> Json:
    key = found.get(path)
    note = dict(key.note) if key else {}
    more = {name: _reference(form) for name, form in note.pop("also", {}).items()}
    if note.get("each") == "own":
        first = next(iter(value))
        note.pop("each")
        entry = _of(value[first], (*path, first), found)
        # Those that are the user's own have what they were given.
        entry["required"] = list(found[(*path, first)].note.get("required", ()))
        built = _map({word: value for word, value in entry.items() if value != []})
    elif isinstance(value, dict) and value and not note.keys() & {"form", "each"}:
        properties = {name: _of(child, (*path, name), found) for name, child in value.items()}
        built = {"type": "object", "additionalProperties": False, "properties": properties | more}
        # Templates look into sections, which are gone where somebody sets one to null or, by --reuse-values,
        # installs with the defaults of an older chart.
        sections = [name for name, child in properties.items() if "properties" in child]
        if needed := [*sections, *(name for name in note.pop("required", ()) if name not in sections)]:
            built["required"] = needed
    else:
        built = _simple(value, note, path)
    told = {"description": key.text} if key and key.text else {}
    return told | built | _expanded(note)


def _simple(value: Any, note: Mapping[str, Any], path: tuple[str, ...]) -> Json:
    if note.keys() & {"form", "each", "items", "enum", "anyOf"}:
        return {}
    for kind, name in ((bool, "boolean"), (int, "integer"), (str, "string")):
        if isinstance(value, kind):
            return {"type": name}
    raise SchemaError(
        f"{'.'.join(path)}: its default {value!r} does not say its form; add a line # @schema above"
    )


def _reference(name: str) -> Json:
    return {"$ref": f"#/definitions/{name}"}


def _map(entry: Json) -> Json:
    return {"type": "object", "propertyNames": _reference(ENTRY), "additionalProperties": entry}


def _expanded(note: Mapping[str, Any]) -> Json:
    """JSON Schema of a note: its short forms in full, whatever else it has as it is."""
    built: Json = {}
    for word, value in note.items():
        if word == "form":
            built |= _reference(value)
        elif word == "each":
            built |= _map(_reference(value))
        elif word == "items" and isinstance(value, str):
            built |= {"type": "array", "items": _reference(value)}
        elif word == "properties":
            built["properties"] = {name: _expanded(child) for name, child in value.items()}
        elif word in ("items", "additionalProperties", "propertyNames") and isinstance(value, dict):
            built[word] = _expanded(value)
        elif word in ("anyOf", "allOf", "oneOf"):
            built[word] = [_expanded(child) for child in value]
        else:
            built[word] = value
    if "properties" in built:
        built = {"type": "object", "additionalProperties": False} | built
    # Draft 7 lets nothing stand beside a reference but words that say nothing.
    if "$ref" in built and built.keys() - {"$ref", "description"}:
        built = {"allOf": [{"$ref": built.pop("$ref")}], **built}
    return built


def _form(form: Mapping[str, Any], crd: Mapping[str, Any]) -> Json:
    if form.get("crd") == "spec":
        return _run_spec(crd, form.get("without", ()))
    if "properties" in form:
        properties = {name: _form(child, crd) for name, child in form["properties"].items()}
        return _expanded({**form, "properties": {}}) | {"properties": properties}
    return _expanded(form)


def _run_spec(crd: Mapping[str, Any], without: Any) -> Json:
    versions = crd["spec"]["versions"]
    spec = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    built: Json = _plain(spec)
    built["properties"] = {name: child for name, child in built["properties"].items() if name not in without}
    built["required"] = [name for name in built.get("required", ()) if name not in without]
    return {name: value for name, value in built.items() if value != []}


_KEPT = (
    *("type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("required", "properties", "items", "additionalProperties", "minProperties", "maxProperties"),
)


def _plain(schema: Mapping[str, Any]) -> Json:
    """A part of a definition without what only Kubernetes reads; keys that it would drop are refused."""
    built = {word: value for word, value in schema.items() if word in _KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        built["type"] = ["integer", "string"]
    if "properties" in built:
        built["properties"] = {name: _plain(child) for name, child in built["properties"].items()}
        built["additionalProperties"] = False
    for word in ("items", "additionalProperties"):
        if isinstance(built.get(word), dict):
            built[word] = _plain(built[word])
    return built


def _check_references(part: Any, forms: Mapping[str, Any]) -> None:
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).rpartition("/")[2]
        if name and name not in forms:
            raise SchemaError(f"values_forms.yaml has no form {name!r}; it has {', '.join(sorted(forms))}")
        for child in part.values():
            _check_references(child, forms)
    elif isinstance(part, list):
        for child in part:
            _check_references(child, forms)


def text() -> str:
    """What values.schema.json has to hold."""
    built = schema(
        (CHART / "values.yaml").read_text(encoding="utf-8"),
        FORMS.read_text(encoding="utf-8"),
        yaml.safe_load(CRD.read_text(encoding="utf-8")),
    )
    return json.dumps(built, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Rewrite the schema in place."""
    (CHART / "values.schema.json").write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
