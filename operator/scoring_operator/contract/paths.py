"""Path templates: which of them can name objects of the store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from scoring_operator.contract.untrusted import ContractError

Template = Literal["model", "readings", "output", "marker", "table", "capture"]

BLOB_NAME_LIMIT = 1024  # characters, of Azure
TEMPLATE_LIMIT = 512
MODEL_FILE_ROOM = 61  # below a sensor's folder: /VERSION/model.safetensors
SENSOR, SHARD, ANY = "{sensor}", "{shard}", "*"
CAPTURE_SOURCES = ("{Namespace}", "{EventHub}", "{PartitionId}")  # of Event Hubs Capture, as are its times
CAPTURE_TIMES = ("{Year}", "{Month}", "{Day}", "{Hour}", "{Minute}", "{Second}")
_DATES = frozenset({"{yyyy}", "{MM}", "{dd}", "{HH}"})
_TOKENS: Mapping[Template, frozenset[str]] = {
    "model": frozenset({SENSOR}),
    "readings": frozenset({SENSOR}) | _DATES,
    "output": frozenset({SENSOR}) | _DATES,
    "marker": _DATES,
    "table": frozenset(),
    "capture": frozenset({*CAPTURE_SOURCES, *CAPTURE_TIMES}),
}
_SHARED: frozenset[Template] = frozenset({"readings", "marker", "table", "capture"})  # may be of all sensors


def check_template(field: Template, path: str, *, sharded: bool = False) -> None:
    """Raise `ContractError` for a path that is not relative, leaves the store, or holds an unknown token.

    `sharded`: of the output, whose files are then shards' and not sensors'.
    """
    where = f"{field}.path"
    if not path or len(path) > TEMPLATE_LIMIT:
        raise ContractError(f"{where} is {'empty' if not path else 'too long'}; wanted 1 to 512 characters")
    if "\\" in path or not path.isprintable():
        found = "\\" if "\\" in path else "a control character, or a blank that only looks like one"
        raise ContractError(f"{where} {path!r} holds {found}; wanted a path with / between its segments")
    longest = len(path.replace(SENSOR, "x" * 63)) + (MODEL_FILE_ROOM if field == "model" else 0)
    if longest > BLOB_NAME_LIMIT:
        raise ContractError(
            f"{where} {path!r} can become {longest} characters long; wanted at most {BLOB_NAME_LIMIT}"
        )
    if path.startswith("/"):
        raise ContractError(f"{where} {path!r} begins with /; wanted a path relative to the store")
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            raise ContractError(
                f"{where} {path!r} holds the segment {segment or 'empty'!r}; wanted names between single /"
            )
    _check_any(field, path)
    _check_tokens(field, path, sharded)


def check_capture(path: str) -> None:
    """Raise `ContractError` for what is no path of Event Hubs Capture: it has all of a time, each once."""
    try:
        check_template("capture", path)
    except ContractError as error:
        raise ContractError(f"readings.path of the layout {error}") from error
    for token in (*CAPTURE_SOURCES, *CAPTURE_TIMES):
        if path.count(token) > 1:
            raise ContractError(f"readings.path {path!r} holds {token} twice; wanted it once")
        if token not in path and token in CAPTURE_TIMES:
            raise ContractError(f"readings.path {path!r} has no {token}; Capture's names have all of a time")


def _check_any(field: Template, path: str) -> None:
    folder, _, name = path.rpartition("/")
    if field not in ("readings", "marker") and ANY in path:
        raise ContractError(f"{field}.path {path!r} holds {ANY}; wanted the name of one place")
    if ANY in folder or name.count(ANY) > 1:
        found = f"{ANY} in a folder or twice"
        raise ContractError(f"{field}.path {path!r} holds {found}; wanted it once, in a file's name")


def _check_tokens(field: Template, path: str, sharded: bool) -> None:
    own = SHARD if sharded else SENSOR
    known = _TOKENS[field] - {SENSOR} | {own} if SENSOR in _TOKENS[field] else _TOKENS[field]
    allowed = f"only {' '.join(sorted(known))}" if known else "none"
    for token in re.findall(r"\{[^{}]*\}|[{}]", path):
        if token not in known:
            raise ContractError(f"{field}.path {path!r} holds {token}; wanted {allowed}")
    if own not in path and field not in _SHARED:
        whose = "shard" if sharded else "sensor"
        raise ContractError(f"{field}.path {path!r} has no {own}; wanted a path of each {whose}'s own")


def default_marker(path: str) -> str:
    """Where a window's `_SUCCESS` stands, by the path of its readings, or predictions: in their folder.

    That is all before the first segment that is a sensor's or shard's own, or a file's.
    """
    kept = []
    for segment in path.split("/")[:-1]:
        if SENSOR in segment or SHARD in segment:
            break
        kept.append(segment)
    return "/".join([*kept, "_SUCCESS"])
