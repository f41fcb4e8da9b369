"""What `_SUCCESS` keeps of the run of all its window's sensors, when one of some of them has replaced it.

A rerun, or the run of sensors whose readings were corrected, counts its own few sensors. Whoever reads the
window's `_SUCCESS` wants to know of all: so it carries what the last run of all of them said, as `whole`.

A run of some of them says of itself that it is one (`part`), and is never taken for the whole. Where no run
of all has left a `_SUCCESS`, one of some sensors leaves none either: most of the window would be missing.
A rerun of all that such a run had left undone (`rest`) does leave one: with it the window is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scorer.contract.paths import is_sensor_name
from scorer.storage import NotFoundError, TooLargeError

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.storage import Store

Json = dict[str, Any]

FIELDS = ("run", "reason", "counts", "reasons", "rows", "anomalies", "manifest")
"""Of what `_SUCCESS` says of a run: the rest is the same for all runs of the window."""
MAX_BYTES = 1024 * 1024
"""Of a `_SUCCESS`: one has two kilobytes."""
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
RERUNS = 100
"""Of reruns, each of the one before: how many are looked at."""


def whole(store: Store, path: str, about: Mapping[str, Any]) -> Json:
    """`{"whole": …}` by the `_SUCCESS` that is there, of the same window; nothing, if there is none.

    Publishing the same run again keeps what it had kept before. Raises StorageError.
    """
    told = _object(store, path, MAX_BYTES)
    if told.get("window") != about["window"]:
        return {}
    if isinstance(told.get("whole"), dict):
        return {"whole": told["whole"]}
    if (
        told.get("part")
        or not isinstance(run := told.get("run"), dict)
        or run.get("uid") == about["run"]["uid"]
    ):
        return {}
    return {"whole": {field: told[field] for field in FIELDS if field in told}}


def makes_whole(
    store: Store, order: WorkOrder, about: Mapping[str, Any], manifest_path: Callable[[str], str]
) -> bool:
    """Whether the window is whole with what a run of some sensors has done, though none of all was complete.

    So it is if these are the rest of a run of all, or of the rest of one. What that run was, its manifest
    says: one of another window or output, or itself of some sensors only, had no such rest. Where publishing
    has failed there is no manifest, and what is left is taken for the whole's. Raises StorageError.
    """
    rest: Any = order.rest
    for _ in range(RERUNS):
        if not isinstance(rest, str) or not is_sensor_name(rest):  # it names a folder in the store
            return False
        told = _object(store, manifest_path(rest), MAX_MANIFEST_BYTES)
        if not told:
            return True
        if (told.get("window"), told.get("output")) != (about["window"], order.output._asdict()):
            return False
        if not told.get("part"):
            return True
        rest = told.get("rest")
    return False


def _object(store: Store, path: str, most: int) -> Json:
    """What lies there; empty if that is nothing, or no JSON object. Raises StorageError."""
    try:
        told = json.loads(store.get(path, most).data)
    except (NotFoundError, TooLargeError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
