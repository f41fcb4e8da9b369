"""A model as a file: safetensors, that is a JSON header and raw arrays. Nothing in it can be executed.

The header's metadata has one entry, `sensorscore`, a JSON object:

    format      1; another number is refused, not guessed at
    stages      ["standard_scaler", "one_class_svm_rbf"], names of `scorer.model.forms.FORMS`
    features    columns of the readings, in the order of the model's inputs
    sklearn     the version of scikit-learn that trained it
    training    window, rows, share of anomalies and settings: for people
    check       rows and largest difference of the proof against scikit-learn's own decision function

Arrays are named `<stage's index>.<array>` and are float64, or what the form says. A model of a plugin has no
stages; instead

    plugin              {"name": …}; its one array is `payload`, bytes for the plugin alone
    scale               the size of its scores, above 0: their grid comes from it
    border_is_anomaly   whether a score of exactly 0 is an anomaly
    accepts_missing     whether it takes NaN

The same model gives the same bytes: no times, keys in order.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.contract.outcome import SensorError
from scorer.model import Model, PluginPart, block_rows
from scorer.model.forms import FORMS
from scorer.model.grid import SCALES

if TYPE_CHECKING:
    from scorer.model.forms.form import AnyArray, Arrays

FORMAT = 1
MAX_BYTES = 32 * 1024 * 1024
"""Of a model file: 380,000 support vectors of 10 features. Ready to score it takes two to four times as much,
in a pod that holds readings, too."""
MAX_HEADER_BYTES = 1024 * 1024
"""Of its JSON, which takes many times its length once it is parsed."""
MAX_WIDTH = 10_000
"""Of the rows between two stages, for a block of them must fit into memory."""
OUTPUT_COLUMNS = frozenset({"time", "sensor", "prediction", "score"})
"""What a feature cannot be called: predictions have it beside the features."""
_ENTRY = "sensorscore"
_PAYLOAD = "payload"
_DTYPES = {"F64": "<f8", "I32": "<i4", "U8": "u1"}


def write_model(
    stages: Sequence[tuple[str, Mapping[str, AnyArray]]], features: Sequence[str], about: Mapping[str, Any]
) -> bytes:
    """The file's bytes. `about` is the metadata beside format, stages and features."""
    header = {"stages": [form for form, _ in stages], "features": list(features), **about}
    tensors = {
        f"{index}.{name}": np.ascontiguousarray(array, _DTYPES[_dtype(form, name)])
        for index, (form, arrays) in enumerate(stages)
        for name, array in arrays.items()
    }
    return _written(header, tensors)


def write_plugin_model(
    name: str,
    payload: bytes,
    features: Sequence[str],
    about: Mapping[str, Any],
    scale: float,
    border_is_anomaly: bool,
    accepts_missing: bool = False,
) -> bytes:
    """The bytes of a file for a plugin. `scale` is the usual size of its scores' largest, above 0."""
    header = {
        "plugin": {"name": name},
        "features": list(features),
        "scale": float(scale),
        "border_is_anomaly": border_is_anomaly,
        "accepts_missing": accepts_missing,
        **about,
    }
    return _written(header, {_PAYLOAD: np.frombuffer(payload, "u1")})


def _written(header: Mapping[str, Any], tensors: dict[str, AnyArray]) -> bytes:
    from safetensors.numpy import save  # here: a pod only reads

    text = json.dumps({"format": FORMAT, **header}, sort_keys=True, allow_nan=False)
    return save(tensors, {_ENTRY: text})


def read_model(data: bytes, version: str = "") -> Model:
    """Reads and checks a model file. Raises SensorError with ModelCorrupt or ModelIncompatible."""
    header, arrays = _parts(data)
    found = header.get("format")
    if found != FORMAT or isinstance(found, bool):
        raise _refusal("ModelIncompatible", f"model file has format {found!r}: this scorer reads {FORMAT}")
    sha256 = hashlib.sha256(data).hexdigest()
    if "plugin" in header:
        return _plugin_model(header, arrays, version, sha256)
    features, forms = _features(header), _forms(header)
    staged, width = [], len(features)
    for index, form in enumerate(forms):
        of_form, width = _stage(index, form, arrays, width)
        if width > MAX_WIDTH:
            raise _refusal("ModelIncompatible", f"model file has a stage {width} wide: wanted {MAX_WIDTH}")
        staged.append((form, of_form))
    _all_used(arrays)
    last = FORMS[forms[-1]]
    try:
        # Numbers that no training gives may overflow: then decisions are no numbers, and count as anomalies.
        with np.errstate(all="ignore"):
            prepared = tuple((form, FORMS[form].prepare(of_form)) for form, of_form in staged)
            scale = last.scale(staged[-1][1])
    except ValueError as error:
        raise _refusal("ModelCorrupt", f"model file: {error}") from error
    _check_scale(scale)
    return Model(
        features=features,
        stages=prepared,
        scale=scale,
        version=version,
        sha256=sha256,
        metadata=header,
        border_is_anomaly=last.border_is_anomaly,
        block=block_rows(prepared[:-1]),
        accepts_missing=_fills_missing(forms),
    )


def _plugin_model(header: dict[str, Any], arrays: dict[str, AnyArray], version: str, sha256: str) -> Model:
    plugin = header["plugin"]
    name = plugin.get("name") if isinstance(plugin, dict) else None
    if not isinstance(name, str) or not name or "stages" in header:
        raise _refusal(
            "ModelCorrupt", f"model file has the plugin {plugin!r}: wanted its name, and no stages"
        )
    payload = arrays.pop(_PAYLOAD, None)
    if payload is None or payload.dtype != np.uint8 or payload.ndim != 1 or not len(payload):
        raise _refusal("ModelCorrupt", f"model file has no bytes for its plugin {name!r}")
    _all_used(arrays)
    rules = {field: header.get(field, False) for field in ("border_is_anomaly", "accepts_missing")}
    for field, value in rules.items():
        if not isinstance(value, bool):
            raise _refusal("ModelCorrupt", f"model file has {field} {value!r}: wanted true or false")
    scale = header.get("scale")
    if not isinstance(scale, float | int) or isinstance(scale, bool):
        raise _refusal("ModelCorrupt", f"model file has the scale {scale!r}: wanted a number")
    _check_scale(scale)
    return Model(
        features=_features(header),
        stages=(),
        scale=float(scale),
        version=version,
        sha256=sha256,
        metadata=header,
        plugin=PluginPart(name, payload.tobytes()),
        **rules,
    )


def _parts(data: bytes) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """The metadata and the arrays, as they stand there."""
    if len(data) > MAX_BYTES:
        raise _refusal("ModelIncompatible", f"model file has {len(data)} bytes: wanted at most {MAX_BYTES}")
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise _refusal(
            "ModelCorrupt",
            f"model file cannot be read: a header of {length} bytes, wanted at most {MAX_HEADER_BYTES}",
        )
    try:
        # The library gives no metadata of bytes in memory, and takes the last one of two keys that are equal.
        outer = _json(data[8 : 8 + length])
        header = _json(outer["__metadata__"][_ENTRY])
        places = _places(outer, len(data) - 8 - length)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise _refusal("ModelCorrupt", f"model file cannot be read: {said}") from error
    if not isinstance(header, dict):
        raise _refusal("ModelCorrupt", "model file's metadata is not an object")
    return header, {name: _array(name, place, data, 8 + length) for name, place in places.items()}


class _Place(NamedTuple):
    """Where an array stands among a file's arrays, and what it is."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def _places(outer: Any, size: int) -> dict[str, _Place]:
    """The arrays of a safetensors header, which lie one after the other in so many bytes. Raises ValueError.

    https://huggingface.co/docs/safetensors/index#format. The library's own reader copies every array.
    """
    places = {name: _place(name, told) for name, told in outer.items() if name != "__metadata__"}
    end = 0
    for name, place in sorted(places.items(), key=lambda named: named[1][2:]):
        if place.start != end or place.end < end:
            raise ValueError(f"array {name!r} lies at {place.start} to {place.end}: wanted it from {end} on")
        end = place.end
    if end != size:
        raise ValueError(f"arrays have {end} bytes: found {size}")
    return places


def _place(name: str, told: Any) -> _Place:
    numbers = [*told["shape"], *told["data_offsets"]]
    if len(told) != 3 or len(told["data_offsets"]) != 2 or not isinstance(told["dtype"], str):
        raise ValueError(f"array {name!r} is told as {told}")
    if not all(type(number) is int and 0 <= number <= MAX_BYTES for number in numbers):
        raise ValueError(f"array {name!r} is told as {told}: wanted numbers of at most {MAX_BYTES}")
    return _Place(told["dtype"], tuple(told["shape"]), *told["data_offsets"])


def _refusal(reason: str, message: str) -> SensorError:
    """What a file holds may be long: people get the beginning."""
    longest = 400
    return SensorError(reason, message if len(message) <= longest else f"{message[:longest]}…")


def _json(text: bytes | str) -> Any:
    """Raises ValueError for what JSON itself leaves open: a key twice, and numbers that are none."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _array(name: str, place: _Place, data: bytes, offset: int) -> AnyArray:
    """The array as it stands there: a view of the file, not a copy."""
    dtype = _DTYPES.get(place.dtype)
    if dtype is None:
        wanted = ", ".join(_DTYPES)
        raise _refusal("ModelIncompatible", f"model file's {name!r} is {place.dtype}: wanted one of {wanted}")
    size = np.dtype(dtype).itemsize
    if math.prod(place.shape) * size != place.end - place.start:
        raise _refusal(
            "ModelCorrupt",
            f"model file's {name!r} has {place.end - place.start} bytes: wrong for its shape {place.shape}",
        )
    count = (place.end - place.start) // size
    array: AnyArray = np.frombuffer(data, dtype, count, offset + place.start).reshape(place.shape)
    if not array.flags.aligned:  # another writer's: the format does not ask for it
        array = array.copy()
    if dtype == "<f8" and not np.isfinite(array).all():
        raise _refusal("ModelCorrupt", f"model file's {name!r} holds a number that is not finite")
    return array


def _features(header: Mapping[str, Any]) -> tuple[str, ...]:
    features = _names(header, "features")
    if len(set(features)) != len(features) or OUTPUT_COLUMNS & set(features):
        apart = ", ".join(sorted(OUTPUT_COLUMNS))
        raise _refusal(
            "ModelCorrupt",
            f"model file has the features {features}: wanted different columns, none of them {apart}",
        )
    return tuple(features)


def _forms(header: Mapping[str, Any]) -> list[str]:
    forms = _names(header, "stages")
    for form in forms:
        if form not in FORMS:
            known = ", ".join(FORMS)
            raise _refusal(
                "ModelIncompatible", f"model file has the stage {form!r}: this scorer knows {known}"
            )
    if [FORMS[form].estimates for form in forms] != [False] * (len(forms) - 1) + [True]:
        raise _refusal(
            "ModelIncompatible", f"model file has the stages {forms}: wanted an estimator at the end"
        )
    return forms


def _names(header: Mapping[str, Any], field: str) -> list[str]:
    value = header.get(field)
    if not isinstance(value, list) or not value or not all(_is_name(name) for name in value):
        raise _refusal("ModelCorrupt", f"model file has the {field} {value!r}: wanted a list of names")
    return value


def _is_name(value: object) -> bool:
    # Half of a surrogate pair is text to JSON, and to nothing after it.
    return isinstance(value, str) and value != "" and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _fills_missing(forms: Sequence[str]) -> bool:
    """Whether a stage fills in what is missing before another one could be hurt by it."""
    for form in forms:
        if not FORMS[form].passes_missing:
            return FORMS[form].fills_missing
    return False


def _check_scale(scale: float) -> None:
    if not SCALES[0] <= scale <= SCALES[1]:
        raise _refusal("ModelCorrupt", f"model file: decisions have the scale {scale}: wanted one above 0")


def _all_used(arrays: Mapping[str, AnyArray]) -> None:
    if arrays:
        raise _refusal("ModelIncompatible", f"model file holds {min(arrays)!r}, which its stages do not use")


def _stage(index: int, form: str, arrays: dict[str, AnyArray], width: int) -> tuple[Arrays, int]:
    """Takes the stage's arrays out of `arrays`, with shapes that fit each other and the rows' width.

    The width of the rows that it gives comes along.
    """
    sizes = {"in": width, "1": 1}
    taken = {}
    for part, wanted in FORMS[form].shapes.items():
        array = arrays.pop(f"{index}.{part}", None)
        if array is None:
            raise _refusal("ModelCorrupt", f"model file lacks {index}.{part} of its stage {form}")
        dtype = _dtype(form, part)
        if array.dtype != np.dtype(_DTYPES[dtype]):
            raise _refusal("ModelIncompatible", f"model file's {index}.{part} is not {dtype}")
        fits = array.ndim == len(wanted) and all(
            size > 0 and sizes.setdefault(dimension, size) == size
            for dimension, size in zip(wanted, array.shape, strict=True)
        )
        if not fits:
            found = list(array.shape)
            raise _refusal("ModelCorrupt", f"model file's {index}.{part} has shape {found}: wrong for {form}")
        taken[part] = array
    for part, dimension in FORMS[form].indexes.items():
        if not (taken[part].min() >= 0 and taken[part].max() < sizes[dimension]):
            raise _refusal("ModelCorrupt", f"model file's {index}.{part} points to what is not there")
    return taken, sizes[FORMS[form].gives]


def _dtype(form: str, part: str) -> str:
    return "I32" if part in FORMS[form].indexes else "F64"
