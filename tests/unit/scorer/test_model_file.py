from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from scorer.contract import SensorError
from scorer.model.file import read_model, write_model
from scoring import model_bytes

Header = dict[str, Any]
Arrays = dict[str, Any]


def test_the_same_model_has_the_same_bytes() -> None:
    assert model_bytes() == model_bytes()
    assert model_bytes() != model_bytes(mean=10.1)


def test_a_model_says_what_it_is() -> None:
    model = read_model(model_bytes(features=("a", "b")), "v1")
    assert (model.features, model.version, len(model.sha256)) == (("a", "b"), "v1", 64)
    assert [form for form, _ in model.stages] == ["standard_scaler", "one_class_svm_rbf"]
    assert model.scale == pytest.approx(1.3)
    assert model.metadata["training"]["rows"] == 100


def changed(header: Callable[[Header], Any], arrays: Callable[[Arrays], Any] = lambda _: None) -> bytes:
    data = model_bytes()
    length = int.from_bytes(data[:8], "little")
    entry: Header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["sensorscore"])
    tensors: Arrays = load(data)
    header(entry)
    arrays(tensors)
    return save(tensors, {"sensorscore": json.dumps(entry)})


def nothing(_: object) -> None:
    """Changes nothing."""


@pytest.mark.parametrize(
    ("data", "reason", "names"),
    [
        (b"", "ModelCorrupt", "cannot be read"),
        (b"\x80\x04\x95pickle", "ModelCorrupt", "cannot be read"),
        (save({}, {}), "ModelCorrupt", "cannot be read"),
        (save({}, {"sensorscore": "[]"}), "ModelCorrupt", "not an object"),
        (changed(lambda h: h.update(format=2)), "ModelIncompatible", "format 2: this scorer reads 1"),
        (changed(lambda h: h.update(stages=["pickle"])), "ModelIncompatible", "'pickle'"),
        (
            changed(lambda h: h.update(stages=["standard_scaler"])),
            "ModelIncompatible",
            "estimator at the end",
        ),
        (changed(lambda h: h.update(stages=[])), "ModelCorrupt", "stages []"),
        (changed(lambda h: h.update(features=["a", "a"])), "ModelCorrupt", "different columns"),
        (changed(lambda h: h.update(features=["time"])), "ModelCorrupt", "different columns"),
        (changed(lambda h: h.update(features=["a", "b"])), "ModelCorrupt", "0.mean has shape [1]"),
        (changed(nothing, lambda a: a.pop("1.gamma")), "ModelCorrupt", "lacks 1.gamma"),
        (
            changed(nothing, lambda a: a.update({"1.gamma": np.array([-1.0])})),
            "ModelCorrupt",
            "gamma is -1.0",
        ),
        (changed(nothing, lambda a: a.update({"0.scale": np.array([0.0])})), "ModelCorrupt", "scale holds"),
        (
            changed(nothing, lambda a: a.update({"1.dual_coef": np.ones(3)})),
            "ModelCorrupt",
            "1.dual_coef has shape [3]",
        ),
        (changed(nothing, lambda a: a.update({"0.mean": np.array([np.nan])})), "ModelCorrupt", "not finite"),
        (
            changed(nothing, lambda a: a.update({"0.mean": np.ones(1, "f4")})),
            "ModelIncompatible",
            "F32: wanted F64",
        ),
        (changed(nothing, lambda a: a.update({"7.x": np.ones(1)})), "ModelIncompatible", "'7.x'"),
    ],
)
def test_files_that_are_refused(data: bytes, reason: str, names: str) -> None:
    with pytest.raises(SensorError) as refusal:
        read_model(data)
    assert refusal.value.reason == reason
    assert names in refusal.value.message
    assert "\n" not in refusal.value.message


def test_broken_bytes_end_in_a_reason() -> None:
    """Any mutation is either a model still (a changed number) or a named refusal."""
    source, good = random.Random(1), model_bytes()  # noqa: S311 (the same mutations every time)
    reasons = set()
    for _ in range(300):
        data = bytearray(good)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        if source.random() < 0.3:
            del data[source.randrange(len(data)) :]
        try:
            read_model(bytes(data))
        except SensorError as refusal:
            reasons.add(refusal.reason)
    assert reasons == {"ModelCorrupt", "ModelIncompatible"}


def test_nothing_that_cannot_be_read_again_is_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_model([], ["value"], {"check": float("nan")})
