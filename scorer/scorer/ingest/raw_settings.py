"""The settings of raw events."""

from __future__ import annotations

import re
from typing import Any

from scorer.contract.capture import check_capture_path
from scorer.contract.paths import TemplateError
from scorer.ingest.checks import SettingsError, duration, known, object_of, text_of, whole
from scorer.ingest.raw import Raw

_SECOND = 1_000_000
_MIB = 1024 * 1024
MOST_BYTES = 500 * _MIB
"""As with Capture; it is held in memory, compressed."""
_SIZE = re.compile(r"(\d{1,9})(KiB|MiB)?", re.ASCII)


def raw_of(given: Any) -> Raw | None:
    """Where raw events are kept, and how; None for nowhere. Raises SettingsError."""
    if given is None:
        return None
    given = object_of(given, "raw")
    known(given, "raw.", ("path",), ("every", "bytes"))
    path = text_of(given["path"], "raw.path")
    try:
        check_capture_path(path)
    except TemplateError as error:
        raise SettingsError(f"raw.path: {error}") from error
    if "{PartitionId}" not in path:
        raise SettingsError(f"raw.path is {path!r}: wanted it with {{PartitionId}}")
    usual = Raw(path)
    every = duration(given.get("every", "5m"), "raw.every", _SECOND, 900 * _SECOND)
    if every % _SECOND:
        raise SettingsError("raw.every: wanted whole seconds")
    return usual._replace(every=every, bytes=_size(given.get("bytes", usual.bytes)))


def _size(given: Any) -> int:
    fits = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if fits:
        given = int(fits[1]) * {"KiB": 1024, "MiB": _MIB}.get(fits[2], 1)
    return whole(given, "raw.bytes", 1024, MOST_BYTES)
