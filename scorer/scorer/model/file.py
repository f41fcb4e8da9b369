"""A model as a file: safetensors, that is a JSON header and raw arrays. Nothing in it can be executed.

The header's metadata has one entry, `sensorscore`, a JSON object:

    format      1; another number is refused, not guessed at
    stages      ["standard_scaler", "one_class_svm_rbf"], names of `scorer.model.forms.FORMS`
    features    columns of the readings, in the order of the model's inputs
    sklearn     the version of scikit-learn that trained it
    training    window, rows, share of anomalies and settings: for people
    check       rows and largest difference of the proof against scikit-learn's own decision function

Arrays are float64, named `<stage's index>.<array>`. The same model gives the same bytes: no times, keys in
order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, deserialize

from scorer.contract.outcome import SensorError
from scorer.model import Model
from scorer.model.forms import FORMS

if TYPE_CHECKING:
    from scorer.model.forms import Array, Arrays

FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024
"""Of a model file: 750,000 support vectors of 10 features. A pod must hold it beside the readings."""
_ENTRY = "sensorscore"


def write_model(
    stages: Sequence[tuple[str, Arrays]], features: Sequence[str], about: Mapping[str, Any]
) -> bytes:
    """The file's bytes. `about` is the metadata beside format, stages and features."""
    from safetensors.numpy import save  # here: a pod only reads

    header = {"format": FORMAT, "stages": [form for form, _ in stages], "features": list(features), **about}
    tensors = {
        f"{index}.{name}": np.ascontiguousarray(array, "<f8")
        for index, (_, arrays) in enumerate(stages)
        for name, array in arrays.items()
    }
    return save(tensors, {_ENTRY: json.dumps(header, sort_keys=True, allow_nan=False)})


def read_model(data: bytes, version: str = "") -> Model:
    """Reads and checks a model file. Raises SensorError with ModelCorrupt or ModelIncompatible."""
    header, arrays = _parts(data)
    features, forms = _checked_header(header)
    staged = [(form, _stage(index, form, arrays, len(features))) for index, form in enumerate(forms)]
    if arrays:
        raise SensorError(
            "ModelIncompatible", f"model file holds {min(arrays)!r}, which its stages do not use"
        )
    try:
        prepared = tuple((form, FORMS[form].prepare(of_form)) for form, of_form in staged)
    except ValueError as error:
        raise SensorError("ModelCorrupt", f"model file: {error}") from error
    last, of_last = staged[-1]
    return Model(
        features, prepared, FORMS[last].scale(of_last), version, hashlib.sha256(data).hexdigest(), header
    )


def _parts(data: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """The metadata and the arrays, as they stand there."""
    try:
        tensors = dict(deserialize(data))  # type: ignore[no-untyped-call]
        # The library gives no metadata of bytes in memory; it has checked that the header is there and is
        # JSON.
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_ENTRY])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SensorError("ModelCorrupt", f"model file cannot be read: {said}") from error
    if not isinstance(header, dict):
        raise SensorError("ModelCorrupt", "model file's metadata is not an object")
    return header, {name: _array(name, tensor) for name, tensor in tensors.items()}


def _array(name: str, tensor: Mapping[str, Any]) -> Array:
    if tensor["dtype"] != "F64":
        raise SensorError("ModelIncompatible", f"model file's {name} is {tensor['dtype']}: wanted F64")
    array = np.frombuffer(tensor["data"], "<f8").reshape(tensor["shape"])
    if not np.isfinite(array).all():
        raise SensorError("ModelCorrupt", f"model file's {name} holds a number that is not finite")
    return array


def _checked_header(header: Mapping[str, Any]) -> tuple[tuple[str, ...], list[str]]:
    """Features and forms."""
    found = header.get("format")
    if found != FORMAT or isinstance(found, bool):
        raise SensorError("ModelIncompatible", f"model file has format {found!r}: this scorer reads {FORMAT}")
    features, forms = _names(header, "features"), _names(header, "stages")
    if len(set(features)) != len(features) or "time" in features:
        raise SensorError("ModelCorrupt", f"model file has the features {features}: wanted different columns")
    for form in forms:
        if form not in FORMS:
            known = ", ".join(FORMS)
            raise SensorError(
                "ModelIncompatible", f"model file has the stage {form!r}: this scorer knows {known}"
            )
    if [FORMS[form].estimates for form in forms] != [False] * (len(forms) - 1) + [True]:
        raise SensorError(
            "ModelIncompatible", f"model file has the stages {forms}: wanted an estimator at the end"
        )
    return tuple(features), forms


def _names(header: Mapping[str, Any], field: str) -> list[str]:
    value = header.get(field)
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise SensorError("ModelCorrupt", f"model file has the {field} {value!r}: wanted a list of names")
    return value


def _stage(index: int, form: str, arrays: dict[str, Array], width: int) -> Arrays:
    """Takes the stage's arrays out of `arrays`, with shapes that fit each other and the features."""
    sizes = {"in": width, "1": 1}
    taken = {}
    for part, wanted in FORMS[form].shapes.items():
        array = arrays.pop(f"{index}.{part}", None)
        if array is None:
            raise SensorError("ModelCorrupt", f"model file lacks {index}.{part} of its stage {form}")
        fits = array.ndim == len(wanted) and all(
            size > 0 and sizes.setdefault(dimension, size) == size
            for dimension, size in zip(wanted, array.shape, strict=True)
        )
        if not fits:
            found = list(array.shape)
            raise SensorError(
                "ModelCorrupt", f"model file's {index}.{part} has shape {found}: wrong for {form}"
            )
        taken[part] = array
    return taken
