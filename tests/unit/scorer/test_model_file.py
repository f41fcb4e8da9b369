"""Model files: the same bytes for the same model, and whatever else the bytes are, a named refusal."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from safetensors.numpy import load, save

from scorer.contract import SensorError
from scorer.model import PluginPart, anomalies, scores, stored_scores
from scorer.model.file import MAX_BYTES, read_model, write_model, write_plugin_model
from scorer.model.forms import FORMS
from scorer.model.forms.forest import MAX_DEPTH
from scoring import model_bytes

Header = dict[str, Any]
Arrays = dict[str, Any]


def forest_arrays(**changes: Any) -> Arrays:
    """One tree: a root, a leaf on its left, and on its right an inner node with two leaves."""
    arrays = {
        "feature": np.array([0, 0, 0, 0, 0], "i4"),
        "threshold": np.array([1.0, 0.0, 2.0, 0.0, 0.0]),
        "left": np.array([1, 1, 3, 3, 4], "i4"),
        "path": np.array([0.0, 1.0, 0.0, 2.0, 2.5]),
        "roots": np.array([0], "i4"),
        "denominator": np.array([2.0]),
        "offset": np.array([-0.5]),
    }
    return arrays | changes


def forest_bytes(**changes: Any) -> bytes:
    """A model of the tree, with other arrays in some places."""
    return write_model([("isolation_forest", forest_arrays(**changes))], ["value"], {})


def chain(depth: int) -> Arrays:
    """A tree that is a single branch."""
    count = 2 * depth + 1
    left = np.arange(count, dtype="i4")
    left[0:-1:2] = np.arange(1, count, 2)
    zeros = np.zeros(count)
    return forest_arrays(feature=zeros.astype("i4"), threshold=zeros, left=left, path=zeros)


def plugin_bytes(**changes: Any) -> bytes:
    settings: Any = {"scale": 2.0, "border_is_anomaly": True, "accepts_missing": True} | changes
    return write_plugin_model("sklearn", b"\x00payload", ["a", "b"], {"training": {"rows": 3}}, **settings)


def entry_of(data: bytes) -> Header:
    length = int.from_bytes(data[:8], "little")
    entry: Header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["sensorscore"])
    return entry


def nothing(_: object) -> None:
    """Changes nothing."""


def changed(
    header: Callable[[Header], Any], arrays: Callable[[Arrays], Any] = nothing, data: bytes | None = None
) -> bytes:
    data = data or model_bytes()
    entry, tensors = entry_of(data), dict(load(data))
    header(entry)
    arrays(tensors)
    return save(tensors, {"sensorscore": json.dumps(entry)})


def arrays(**changes: Any) -> bytes:
    """Some arrays replaced; `_0_mean` for `0.mean`."""
    named = {name[1:].replace("_", ".", 1): array for name, array in changes.items()}
    return changed(nothing, lambda tensors: tensors.update(named))


def plugin(**changes: Any) -> bytes:
    return changed(lambda header: header.update(changes), data=plugin_bytes())


def raw(header: str, body: bytes = b"") -> bytes:
    text = header.encode()
    return len(text).to_bytes(8, "little") + text + body


def test_the_same_model_has_the_same_bytes() -> None:
    assert model_bytes() == model_bytes()
    assert model_bytes() != model_bytes(mean=10.1)
    assert plugin_bytes() == plugin_bytes()


def test_a_model_says_what_it_is() -> None:
    model = read_model(model_bytes(features=("a", "b")), "v1")
    assert (model.features, model.version, len(model.sha256)) == (("a", "b"), "v1", 64)
    assert [form for form, _ in model.stages] == ["standard_scaler", "one_class_svm_rbf"]
    assert model.scale == pytest.approx(1.3)
    assert model.border_is_anomaly
    assert model.metadata["training"]["rows"] == 100


def test_a_file_of_the_first_version_is_read() -> None:
    """Its bytes were made before there were other forms: they must not need another registration."""
    shapes = {"0.mean": [1], "0.scale": [1], "1.dual_coef": [1], "1.gamma": [1], "1.intercept": [1]}
    tensors: Header = {
        name: {"dtype": "F64", "shape": shape, "data_offsets": [8 * place, 8 * place + 8]}
        for place, (name, shape) in enumerate({**shapes, "1.support_vectors": [1, 1]}.items())
    }
    entry = '{"features": ["value"], "format": 1, "stages": ["standard_scaler", "one_class_svm_rbf"]}'
    header = json.dumps({"__metadata__": {"sensorscore": entry}} | tensors)
    model = read_model(raw(header, np.array([5.0, 2.0, 1.0, 0.5, -0.5, 0.0]).tobytes()))
    assert scores(model, np.array([[5.0]]))[0] == -0.5
    assert scores(model, np.array([[9.0]]))[0] == pytest.approx(0.5 - np.exp(-2.0), abs=1e-9)


def test_a_plugin_s_model_holds_what_its_runtime_needs() -> None:
    model = read_model(plugin_bytes(), "v1")
    assert model.plugin == PluginPart("sklearn", b"\x00payload")
    assert (model.features, model.stages, model.scale) == (("a", "b"), (), 2.0)
    assert (model.border_is_anomaly, model.accepts_missing) == (True, True)
    assert model.metadata["training"] == {"rows": 3}


def test_a_plugin_s_model_is_not_scored_without_it() -> None:
    with pytest.raises(SensorError, match="made for the plugin 'sklearn': wanted a runtime"):
        scores(read_model(plugin_bytes()), np.zeros((1, 2)))


def test_a_plugin_s_scores_are_stored_and_labelled_like_all() -> None:
    model = read_model(plugin_bytes())
    stored = stored_scores(model, np.array([-0.0, 1 / 3, -1 / 3, np.nan, np.inf]))
    assert np.abs(stored[:3] - [0.0, 1 / 3, -1 / 3]).max() < 1e-9
    assert np.isfinite(stored).all()
    assert not np.signbit(stored[0])
    assert anomalies(model, stored).tolist() == [1, 1, 0, 1, 1]
    assert np.array_equal(stored_scores(model, stored), stored)


@pytest.mark.parametrize(
    ("data", "reason", "names"),
    [
        (b"", "ModelCorrupt", "cannot be read"),
        (b"\x80\x04\x95pickle", "ModelCorrupt", "cannot be read: a header of"),
        (raw("[" * 100_000), "ModelCorrupt", "cannot be read"),
        (raw('{"__metadata__": {"sensorscore": "' + "[" * 100_000 + '"}}'), "ModelCorrupt", "cannot be read"),
        (raw('{"__metadata__": {"a": "", "a": ""}}'), "ModelCorrupt", "a key stands there twice"),
        (raw('{"__metadata__": {"sensorscore": "{\\"a\\": NaN}"}}'), "ModelCorrupt", "NaN is no number"),
        (raw('{"__metadata__": {"sensorscore": "1' + "0" * 5000 + '"}}'), "ModelCorrupt", "cannot be read"),
        (save({}, {}), "ModelCorrupt", "cannot be read"),
        (save({}, {"sensorscore": "[]"}), "ModelCorrupt", "not an object"),
        (bytes(MAX_BYTES + 1), "ModelIncompatible", "bytes: wanted at most"),
        (changed(lambda h: h.update(format=2)), "ModelIncompatible", "format 2: this scorer reads 1"),
        (changed(lambda h: h.update(format=True)), "ModelIncompatible", "format True"),
        (changed(lambda h: h.update(stages=["pickle"])), "ModelIncompatible", "'pickle'"),
        (
            changed(lambda h: h.update(stages=["standard_scaler"])),
            "ModelIncompatible",
            "estimator at the end",
        ),
        (changed(lambda h: h.update(stages=[])), "ModelCorrupt", "stages []"),
        (changed(lambda h: h.update(features=["a", "a"])), "ModelCorrupt", "different columns"),
        (changed(lambda h: h.update(features=["time"])), "ModelCorrupt", "none of them prediction, score, s"),
        (changed(lambda h: h.update(features=["\ud800"])), "ModelCorrupt", "wanted a list of names"),
        (changed(lambda h: h.update(features=["a", "b"])), "ModelCorrupt", "0.mean has shape [1]"),
        (changed(nothing, lambda a: a.pop("1.gamma")), "ModelCorrupt", "lacks 1.gamma"),
        (arrays(_1_gamma=np.array([-1.0])), "ModelCorrupt", "gamma is -1.0"),
        (arrays(_0_scale=np.array([0.0])), "ModelCorrupt", "scale holds"),
        (arrays(_1_dual_coef=np.ones(3)), "ModelCorrupt", "1.dual_coef has shape [3]"),
        (arrays(_1_dual_coef=np.zeros((0, 2))), "ModelCorrupt", "1.dual_coef has shape [0, 2]"),
        (arrays(_0_mean=np.array([np.nan])), "ModelCorrupt", "not finite"),
        (arrays(_0_mean=np.array([np.inf])), "ModelCorrupt", "not finite"),
        (arrays(_0_mean=np.ones(1, "f4")), "ModelIncompatible", "F32: wanted one of F64, I32, U8"),
        (arrays(_0_mean=np.ones(1, "i4")), "ModelIncompatible", "0.mean is not F64"),
        (arrays(_7_x=np.ones(1)), "ModelIncompatible", "'7.x'"),
        (arrays(_1_intercept=np.array([1e300])), "ModelCorrupt", "the scale 1e+300"),
    ],
)
def test_files_that_are_refused(data: bytes, reason: str, names: str) -> None:
    with pytest.raises(SensorError) as refusal:
        read_model(data)
    assert refusal.value.reason == reason
    assert names in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (plugin(plugin="sklearn"), "the plugin 'sklearn': wanted its name"),
        (plugin(plugin={"name": ""}), "wanted its name"),
        (plugin(stages=["one_class_svm_rbf"]), "no stages"),
        (plugin(scale="2"), "the scale '2'"),
        (plugin(scale=0), "the scale 0"),
        (plugin(scale=True), "the scale True"),
        (plugin(border_is_anomaly=1), "border_is_anomaly 1: wanted true or false"),
        (plugin(features=[]), "features []"),
        (changed(nothing, lambda a: a.clear(), plugin_bytes()), "no bytes for its plugin 'sklearn'"),
        (
            changed(nothing, lambda a: a.update(payload=np.ones((2, 2), "u1")), plugin_bytes()),
            "no bytes for its plugin",
        ),
        (
            changed(nothing, lambda a: a.update(payload=np.ones(0, "u1")), plugin_bytes()),
            "no bytes for its plugin",
        ),
        (changed(nothing, lambda a: a.update(more=np.ones(1)), plugin_bytes()), "'more'"),
    ],
)
def test_plugin_files_that_are_refused(data: bytes, names: str) -> None:
    with pytest.raises(SensorError) as refusal:
        read_model(data)
    assert names in refusal.value.message


WIDE = {"weights": np.ones((1, 20_000)), "offset": np.ones(20_000), "factor": [1.0]}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (forest_bytes(feature=np.array([1, 0, 0, 0, 0], "i4")), "0.feature points to what is not there"),
        (forest_bytes(feature=np.array([-1, 0, 0, 0, 0], "i4")), "0.feature points to what is not there"),
        (forest_bytes(left=np.array([1, 1, 9, 3, 4], "i4")), "0.left points to what is not there"),
        (forest_bytes(left=np.array([1, 1, 4, 3, 4], "i4")), "no later one, or the last one"),
        (forest_bytes(left=np.array([1, 1, 0, 3, 4], "i4")), "no later one, or the last one"),
        (forest_bytes(roots=np.array([-(2**31)], "i4")), "0.roots points to what is not there"),
        (forest_bytes(path=np.array([0.0, -1.0, 0.0, 2.0, 2.5])), "path holds a number below 0"),
        (forest_bytes(denominator=np.array([0.0])), "denominator is 0.0"),
        (forest_bytes(roots=np.zeros(20_000, "i4")), "20000 trees: wanted at most"),
        (forest_bytes(**chain(MAX_DEPTH + 2)), "more than 64 deep"),
        (
            write_model([("rbf_sampler", WIDE), ("isolation_forest", forest_arrays())], ["v"], {}),
            "a stage 20000 wide",
        ),
    ],
)
def test_trees_and_stages_without_end_are_refused(data: bytes, names: str) -> None:
    """A row must find its way out of each tree, and a block of rows must fit into memory."""
    with pytest.raises(SensorError) as refusal:
        read_model(data)
    assert names in refusal.value.message


def test_a_tree_is_read_as_it_stands() -> None:
    model = read_model(forest_bytes())
    found = scores(model, np.array([[0.0], [1.0], [1.5], [2.5]]))
    assert found == pytest.approx([2**-0.5 - 0.5, 2**-0.5 - 0.5, 0.0, 2**-1.25 - 0.5], abs=1e-9)
    assert read_model(forest_bytes(**chain(MAX_DEPTH))).features == ("value",)


def small_models() -> list[bytes]:
    """One of every form, most of whose arrays are ones, and the plugin's."""
    ends = [form for form in FORMS if FORMS[form].estimates and form != "isolation_forest"]
    found = [model_bytes(features=("a", "b")), plugin_bytes(), forest_bytes()]
    for last in ends:
        for first in ("simple_imputer", "min_max_scaler", "pca", "nystroem", "rbf_sampler"):
            found.append(write_model([(form, ones(form)) for form in (first, last)], ["a", "b"], {}))
    return found


def ones(form: str) -> Arrays:
    shapes = FORMS[form].shapes
    return {part: np.ones([{"1": 1}.get(size, 2) for size in sizes]) for part, sizes in shapes.items()}


def outcome_of(data: bytes) -> str:
    """Reads and scores, which may do nothing but refuse, and gives finite scores."""
    try:
        model = read_model(data)
    except SensorError as refusal:
        return refusal.reason if "\n" not in refusal.message and len(refusal.message) < 500 else "prose"
    if model.plugin:
        return "plugin"
    rows = np.array([[0.0], [1e100], [-3.5]]).repeat(len(model.features), axis=1)
    assert np.isfinite(scores(model, rows)).all()
    return "model"


REASONS = {"ModelCorrupt", "ModelIncompatible"}
WILD = (0.0, -1.0, 5e-324, 1e-300, 1e300, -1e300, 1.7e308, 1e155, 2.0**31, float("nan"), float("inf"))


def test_broken_bytes_end_in_a_reason() -> None:
    """Any mutation is either a model still (a changed number) or a named refusal."""
    source, good = random.Random(1), small_models()  # noqa: S311 (the same mutations every time)
    found = set()
    for number in range(2000):
        data = bytearray(good[number % len(good)])
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.2:
            del data[source.randrange(len(data)) :]
        found.add(outcome_of(bytes(data)))
    assert REASONS | {"model"} <= found <= REASONS | {"model", "plugin"}


def test_wild_numbers_end_in_a_reason_or_in_finite_scores() -> None:
    source, good = random.Random(2), small_models()  # noqa: S311 (the same mutations every time)
    found = set()
    for number in range(1000):
        data = good[number % len(good)]
        tensors = {name: array.copy() for name, array in load(data).items()}
        for _ in range(source.randint(1, 3)):
            array = tensors[source.choice(sorted(tensors))].reshape(-1)
            kind = np.iinfo(array.dtype) if array.dtype.kind in "iu" else None
            wild = source.choice((kind.min, kind.max, 1) if kind else WILD)
            array[source.randrange(len(array))] = wild
        found.add(outcome_of(save(tensors, {"sensorscore": json.dumps(entry_of(data))})))
    assert {"ModelCorrupt", "model"} <= found <= REASONS | {"model", "plugin"}


@given(some.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert outcome_of(data) in REASONS


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(some.sampled_from(("format", "stages", "features", "plugin", "scale", "border_is_anomaly")), JSON)
def test_any_header_is_refused_or_read(field: str, value: Any) -> None:
    for good in (model_bytes(), plugin_bytes()):
        data = changed(lambda header: header.update({field: value}), data=good)
        assert outcome_of(data) in REASONS | {"model", "plugin"}


def test_nothing_that_cannot_be_read_again_is_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_model([], ["value"], {"check": float("nan")})
