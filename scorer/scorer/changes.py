"""Which hours' readings were corrected after they had landed: by the list that ingest leaves in the folder.

One question an hour, and nothing of the list but its metadata: `count`, the number of the hour's corrections.
Who asks is a schedule's pod, whose other container has no rights in the store. It takes nothing from here on
trust, and must not wait for it: what cannot be asked is said in the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from scorer.contract.paths import DATE_TOKENS, default_marker, readings_path
from scorer.errors import InputError
from scorer.outcomes import in_order
from scorer.storage import NotFoundError, StorageError
from scorer.window import HOUR, utc_text

if TYPE_CHECKING:
    from scorer.storage import Store

VERSION = 1
LIST = "_corrected.csv"
MAX_COUNT = 999_999
SHOWN = 3
"""Complaints; more of them say no more."""

_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)


class Change(NamedTuple):
    """The hour that ends then was corrected so many times."""

    end: datetime
    corrections: int


class Changes(NamedTuple):
    """The corrected hours, in order, and what could not be asked: empty, or a sentence."""

    found: list[Change]
    error: str = ""


def list_template(readings: str) -> str:
    """Where an hour's list lies, by the path of its readings. Raises InputError if hours share a folder."""
    folder = default_marker(readings).rpartition("/")[0]
    if missing := [token for token in DATE_TOKENS if token not in folder]:
        raise InputError(
            f"readings path {readings} has no {' '.join(missing)} in its folders, before any of a sensor's "
            "own: wanted a folder for each hour"
        )
    return f"{folder}/{LIST}"


def ends(now: datetime, horizon: timedelta) -> Iterator[datetime]:
    """The ends of the hours that have ended within the horizon, in order."""
    last = now.replace(minute=0, second=0, microsecond=0)
    for number in reversed(range(int(horizon / HOUR) + 1)):
        if (end := last - number * HOUR) > now - horizon:
            yield end


def find(store: Store, template: str, now: datetime, horizon: timedelta) -> Changes:
    """The corrected hours among those. What storage does not tell is said, and the rest is not asked for."""
    by_path = {readings_path(template, "", end - HOUR): end for end in ends(now, horizon)}

    def read(path: str) -> int | str:
        try:
            text = store.head(path).metadata.get("count", "")
        except NotFoundError:
            return 0
        if not _COUNT.fullmatch(text) or not int(text):
            return f"{path} has the metadata count {text[:20]!r}: wanted a number of corrections"
        return int(text)

    found: list[Change] = []
    wrong: list[str] = []
    try:
        counts = in_order(list(by_path), read, lambda _: 0)
        for end, told in zip(by_path.values(), counts, strict=True):
            if isinstance(told, str):
                wrong.append(told)
            elif told:
                found.append(Change(end, told))
    except StorageError as error:
        wrong.insert(0, str(error))
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return Changes(found, "; ".join(wrong[:SHOWN]) + more)


def encode(changes: Changes) -> bytes:
    """The answer, as the schedule reads it."""
    told = {
        "v": VERSION,
        "error": changes.error,
        "changes": [{"end": utc_text(end), "count": corrections} for end, corrections in changes.found],
    }
    return (json.dumps(told) + "\n").encode()
