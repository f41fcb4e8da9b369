"""A run's manifest, read back and checked: it lies where others may write as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.contract.outcome import Rows
from scorer.contract.paths import check_output_path
from scorer.contract.work import OUTPUT_FORMATS, OUTPUT_LAYOUTS, SHARDED, Output
from scorer.errors import InputError
from scorer.publish.run import VERSION
from scorer.window import Window, window


class Told(NamedTuple):
    """An object that the manifest names."""

    path: str
    sha256: str


class ShardTold(NamedTuple):
    """A shard as it was when the run was published."""

    path: str
    index_sha256: str
    sha256: str


class Manifest(NamedTuple):
    """What a manifest says."""

    uid: str
    created: str
    window: Window
    complete: bool
    total: int
    sensors_sha256: str
    sensors_list: Told | None
    """Of a list in the store; the digest is of its first line."""
    counts: Mapping[str, int]
    rows: Rows
    anomalies: int
    output: Output
    results: Told
    anomalies_file: Told
    shards: tuple[ShardTold, ...]
    success: str | None
    part: bool = False
    """Of some of the window's sensors: it leaves no `_SUCCESS` where the whole has left none."""


def parse_manifest(data: bytes, path: str) -> Manifest:
    """Reads a manifest. Raises InputError."""
    try:
        told: dict[str, Any] = json.loads(data)
        if told["v"] != VERSION:
            raise InputError(f"{path} has v = {told['v']!r}: this scorer understands {VERSION}")
        output = _output(told["output"])
        return Manifest(
            uid=_text(told["run"], "uid"),
            created=_text(told["run"], "created"),
            window=window(_text(told["window"], "start"), _text(told["window"], "end")),
            complete=bool(told["complete"]),
            total=int(told["sensors"]["total"]),
            sensors_sha256=_text(told["sensors"], "sha256"),
            sensors_list=_list_of(told["sensors"]),
            counts={str(state): int(count) for state, count in told["counts"].items()},
            rows=Rows(**{name: int(told["rows"][name]) for name in Rows._fields}),
            anomalies=int(told["anomalies"]),
            output=output,
            results=_told(told["results"]),
            anomalies_file=_told(told["anomaliesFile"]),
            shards=tuple(
                ShardTold(_text(shard, "path"), _text(shard, "index"), _text(shard, "sha256"))
                for shard in told["shards"]
            ),
            success=None if told["success"] is None else _text(told, "success"),
            part=told.get("part") is True,
        )
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"{path} is not the manifest of a run: {error!r:.200}") from error
    except ValueError as error:
        raise InputError(f"{path} is not the manifest of a run: {error}") from error


def _output(told: Mapping[str, Any]) -> Output:
    output = Output(_text(told, "path"), _text(told, "format"), _text(told, "layout"), int(told["shards"]))
    if output.format not in OUTPUT_FORMATS or output.layout not in OUTPUT_LAYOUTS or output.shards < 1:
        raise ValueError(f"output {told!r}")
    check_output_path(output.path, output.layout == SHARDED)
    return output


def _list_of(told: Mapping[str, Any]) -> Told | None:
    return Told(_text(told, "list"), _text(told, "listSha256")) if "list" in told else None


def _told(told: Mapping[str, Any]) -> Told:
    return Told(_text(told, "path"), _text(told, "sha256"))


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}")
    return value
