"""What is remembered of a shard's sensors, as JSON and back. Short, because there may be 100,000 of them.

    {"v": 1, "sensors": {SENSOR: {MODEL: [HORIZON, {KIND: TRACK, …}, [SEEN, …]]}}}
    TRACK   [score, since, last, windows, odd, rows, flagged, began] and, of a stuck one, its constant
    SEEN    [end, seconds, rows, flagged, {KIND: hundredths, …}] and, of a constant window, its constant
    constant is [feature, value, longest]

Of evidence only what is not as usual is written; null says that there was none. The objects lie in the store,
where others may write as well: anything else than this is refused as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from scorer.contract.paths import is_sensor_name
from scorer.errors import InputError
from scorer.guard.evidence import ALL, CONSTANT, FULL, HIGH, HIGHEST, LOW, MISSING, NOT_AT_ALL, OUTSIDE
from scorer.guard.facts import MODEL_LENGTH, Constant, read_constant
from scorer.guard.judge import MODELS, Records
from scorer.guard.observe import MAX_COUNT
from scorer.guard.tracks import LIMITS, REMEMBERED, Record, Seen, Track

VERSION = 1
USUAL: Mapping[str, int] = {
    CONSTANT: -HIGHEST,
    OUTSIDE: NOT_AT_ALL,
    ALL: NOT_AT_ALL,
    HIGH: NOT_AT_ALL,
    LOW: 0,
    MISSING: NOT_AT_ALL,
}
MAX_TIME = 253_402_300_800
"""Seconds from 1970 to the year 10,000."""
MAX_SUM = 10**15
"""Of rows over a track's windows."""


def write_state(state: Mapping[str, Records]) -> bytes:
    """The bytes; the same state gives the same ones."""
    sensors = {
        sensor: {model: _told(record) for model, record in sorted(state[sensor].items())}
        for sensor in sorted(state)
    }
    return json.dumps({"v": VERSION, "sensors": sensors}, separators=(",", ":")).encode("ascii")


def read_state(data: bytes) -> dict[str, Records]:
    """The state. Raises InputError saying what cannot be."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON: {str(error)[:100]}") from error
    if not isinstance(told, dict) or told.get("v") != VERSION or isinstance(told["v"], bool):
        raise InputError(f"it is not an object of version {VERSION}")
    state: dict[str, Records] = {}
    for sensor, models in _object(told.get("sensors"), "sensors").items():
        if not is_sensor_name(sensor) or not 0 < len(_object(models, sensor)) <= MODELS:
            raise InputError(f"sensor {sensor[:80]!r} has no name or not 1 to {MODELS} models")
        if any(len(model) != MODEL_LENGTH for model in models):
            raise InputError(f"sensor {sensor} has a model of another name than {MODEL_LENGTH} characters")
        try:
            state[sensor] = {model: _record(record) for model, record in models.items()}
        except InputError as error:
            raise InputError(f"sensor {sensor}: {error}") from error
    return state


def _told(record: Record) -> list[Any]:
    tracks = {kind: _with(list(track[:-1]), track.constant) for kind, track in record.before.items()}
    windows = [_with([*window[:4], _unusual(window.evidence)], window.constant) for window in record.seen]
    return [record.horizon, tracks, windows]


def _with(told: list[Any], constant: Constant | None) -> list[Any]:
    return [*told, list(constant)] if constant else told


def _unusual(evidence: Mapping[str, int]) -> dict[str, int | None]:
    return {kind: evidence.get(kind) for kind, usual in USUAL.items() if evidence.get(kind) != usual}


def _record(told: Any) -> Record:
    horizon, tracks, windows = _list(told, 3, 3)
    before = {}
    for kind, track in _object(tracks, "tracks").items():
        if kind not in LIMITS:
            raise InputError(f"there is no track {kind[:20]!r}")
        before[kind] = _track(track)
    if not isinstance(windows, list) or not 0 < len(windows) <= REMEMBERED:
        raise InputError(f"wanted 1 to {REMEMBERED} windows")
    seen = tuple(_seen(window) for window in windows)
    ends = [_whole(horizon, 0, MAX_TIME), *(window.end for window in seen)]
    if any(later <= earlier for earlier, later in pairwise(ends)):
        raise InputError("its windows are not in order")
    return Record(before, ends[0], seen)


def _track(told: Any) -> Track:
    counts = _list(told, 8, 9)
    most = (HIGHEST, MAX_TIME, MAX_TIME, MAX_COUNT, MAX_COUNT, MAX_SUM, MAX_SUM, MAX_TIME)
    numbers = [_whole(count, 0, limit) for count, limit in zip(counts, most, strict=False)]
    if numbers[6] > numbers[5]:
        raise InputError(f"it flagged {numbers[6]} of {numbers[5]} rows")
    score, since, last, windows, odd, rows, flagged, began = numbers
    constant = read_constant(counts[8]) if len(counts) > 8 else None
    return Track(score, since, last, windows, odd, rows, flagged, began, constant)


def _seen(told: Any) -> Seen:
    parts = _list(told, 5, 6)
    end, seconds = _whole(parts[0], 1, MAX_TIME), _whole(parts[1], 1, MAX_TIME)
    rows = _whole(parts[2], 0, MAX_COUNT)
    flagged = _whole(parts[3], 0, rows)
    constant = read_constant(parts[5]) if len(parts) > 5 else None
    if seconds > end:
        raise InputError("a window began before 1970")
    return Seen(end, seconds, rows, flagged, _evidence(parts[4]), constant)


def _evidence(told: Any) -> Mapping[str, int]:
    if not _object(told, "evidence"):
        return USUAL
    found = dict(USUAL)
    for kind, said in told.items():
        if kind not in USUAL:
            raise InputError(f"there is no evidence of {kind[:20]!r}")
        if said is None:
            del found[kind]
        else:
            found[kind] = _whole(said, -HIGHEST, FULL)
    return found


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} is no object")
    return value


def _list(value: Any, least: int, most: int) -> list[Any]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise InputError(f"wanted a list of {least} to {most}")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"found {value!r:.40}: wanted a whole number from {least} to {most}")
    return value


def ends(records: Iterable[Record]) -> int:
    """The end of the newest window."""
    return max(record.seen[-1].end for record in records)
