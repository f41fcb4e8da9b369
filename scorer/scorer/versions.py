"""Which version of a sensor's model counts: what `current.json` says, read with the run's choice."""

from __future__ import annotations

import json
from typing import NamedTuple

from scorer.contract.outcome import SensorError
from scorer.contract.paths import MAX_VERSION
from scorer.contract.work import ModelSource
from scorer.window import Window

CURRENT_FILE = "current.json"
MODEL_FILE = "model.safetensors"
MAX_CURRENT_BYTES = 64 * 1024
MAX_MODEL_BYTES = 64 * 1024 * 1024
"""Of a model file: 750,000 support vectors of 10 features."""


class Version(NamedTuple):
    """A registered version: its name, and the digest of its file."""

    name: str
    sha256: str
    file: str = MODEL_FILE


def resolve(data: bytes, path: str, source: ModelSource, span: Window) -> Version | None:
    """The version that counts for the run, None if none does. `data` is the `current.json` at `path`.

    Raises SensorError with ModelCorrupt.
    """
    try:
        current = json.loads(data)
        version, sha256 = current["version"], current["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SensorError(
            "ModelCorrupt", f"{path} is not a model's: {type(error).__name__} {error}"
        ) from error
    # The version becomes a part of a path.
    good = (
        isinstance(version, str)
        and len(version) <= MAX_VERSION
        and version.isascii()
        and version.replace("-", "").isalnum()
    )
    if not good or not isinstance(sha256, str) or len(sha256) != 64:
        raise SensorError(
            "ModelCorrupt", f"{path} names version {version!r} and sha256 {sha256!r}: not a model's"
        )
    return Version(version, sha256)
