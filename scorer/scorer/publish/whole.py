"""What `_SUCCESS` keeps of the run of all its window's sensors, when one of some of them has replaced it.

A rerun, or the run of sensors whose readings were corrected, counts its own few sensors. Whoever reads the
window's `_SUCCESS` wants to know of all: so it carries what the last run of all of them said, as `whole`.

A run of some of them says of itself that it is one (`part`), and is never taken for the whole. Where no run
of all has left a `_SUCCESS`, one of corrected sensors leaves none either: most of it would be missing.
A rerun of what a run had failed on does leave one: what is left of it makes the window whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scorer.storage import NotFoundError, TooLargeError

if TYPE_CHECKING:
    from scorer.storage import Store

Json = dict[str, Any]

FIELDS = ("run", "reason", "counts", "reasons", "rows", "anomalies", "manifest")
"""Of what `_SUCCESS` says of a run: the rest is the same for all runs of the window."""
MAX_BYTES = 1024 * 1024
"""Of a `_SUCCESS`: one has two kilobytes."""


_CORRECTION = re.compile(r".+-c[1-9][0-9]{0,8}", re.ASCII)


def of_correction(run: str) -> bool:
    """Whether a run of this name was made for sensors whose readings were corrected."""
    return _CORRECTION.fullmatch(run) is not None


def whole(store: Store, path: str, about: Mapping[str, Any]) -> Json:
    """`{"whole": …}` by the `_SUCCESS` that is there, of the same window; nothing, if there is none.

    Publishing the same run again keeps what it had kept before. Raises StorageError.
    """
    try:
        told = json.loads(store.get(path, MAX_BYTES).data)
    except (NotFoundError, TooLargeError, ValueError, RecursionError):
        return {}
    if not isinstance(told, dict) or told.get("window") != about["window"]:
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
