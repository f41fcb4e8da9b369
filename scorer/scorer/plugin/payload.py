"""What a model file's payload holds for any plugin: the plugin's own bytes, and a golden input and output.

safetensors again, without code: `data` (bytes), `golden_rows` (g, features), `golden_scores` (g,), and in
the metadata `params`, a JSON object. The scorer scores the golden rows whenever it has loaded the model:
where another version of a library, or another processor, computes otherwise, no window is scored by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, deserialize

from scorer.contract.outcome import SensorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_ROWS = 1024
"""At most: they are scored once for each process that loads the model."""
_PARAMS = "params"


class Packed(NamedTuple):
    """A payload taken apart."""

    data: bytes
    params: Mapping[str, Any]
    golden_rows: NDArray[np.float64]
    golden_scores: NDArray[np.float64]


def pack(packed: Packed) -> bytes:
    """The payload's bytes: the same ones for the same content."""
    from safetensors.numpy import save  # here: a pod only reads

    tensors = {
        "data": np.frombuffer(packed.data, "u1"),
        "golden_rows": np.ascontiguousarray(packed.golden_rows, "<f8"),
        "golden_scores": np.ascontiguousarray(packed.golden_scores, "<f8"),
    }
    return save(tensors, {_PARAMS: json.dumps(packed.params, sort_keys=True, allow_nan=False)})


def unpack(payload: bytes, features: int) -> Packed:
    """Takes a payload apart and checks it. Raises SensorError with ModelCorrupt."""
    try:
        tensors = dict(deserialize(payload))  # type: ignore[no-untyped-call]
        # The library gives no metadata of bytes in memory; that they are JSON it has checked.
        length = int.from_bytes(payload[:8], "little")
        params = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"][_PARAMS])
        data = bytes(tensors["data"]["data"])
        rows, scores = (_numbers(tensors[f"golden_{name}"]) for name in ("rows", "scores"))
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SensorError("ModelCorrupt", f"model file's payload cannot be read: {said}") from error
    shapes = rows.shape, scores.shape
    if not (
        isinstance(params, dict)
        and rows.ndim == 2
        and 1 <= len(rows) <= GOLDEN_ROWS
        and shapes == ((len(rows), features), (len(rows),))
        and np.isfinite(rows).all()
        and np.isfinite(scores).all()
    ):
        raise SensorError(
            "ModelCorrupt",
            f"model file's payload has golden rows and scores of shapes {shapes}: wanted 1 to {GOLDEN_ROWS}"
            f" finite rows of {features} features, and a score each",
        )
    return Packed(data, params, rows, scores)


def _numbers(tensor: Mapping[str, Any]) -> NDArray[np.float64]:
    if tensor["dtype"] != "F64":
        raise TypeError(f"numbers are {tensor['dtype']}: wanted F64")
    return np.frombuffer(tensor["data"], "<f8").reshape(tensor["shape"])
