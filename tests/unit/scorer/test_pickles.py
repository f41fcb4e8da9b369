from __future__ import annotations

import importlib
import io
import os
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from sklearn.svm import OneClassSVM

from scorer.contract import SensorError
from scorer.fit import pickled, pickles
from scorer.fit.pickled import is_pickle, written
from scorer.fit.pickles import load

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(0, 1, (120, 2))
SVM = Pipeline([("scaler", StandardScaler()), ("classifier", OneClassSVM(nu=0.05))]).fit(ROWS)
FITTED = {
    "svm": SVM,
    "forest": IsolationForest(n_estimators=5, random_state=np.random.RandomState(1)).fit(ROWS),
    "envelope": EllipticEnvelope(random_state=0).fit(ROWS),
    "neighbours": LocalOutlierFactor(novelty=True, algorithm="kd_tree").fit(ROWS),
    "ball": LocalOutlierFactor(novelty=True, algorithm="ball_tree").fit(ROWS),
    "long": Pipeline(
        [
            ("imputer", SimpleImputer()),
            ("scaler", RobustScaler()),
            ("kernel", Nystroem(n_components=10, random_state=0)),
            ("classifier", SGDOneClassSVM(random_state=0)),
        ]
    ).fit(ROWS),
}


def joblib_bytes(fitted: Any, compress: Any = 0) -> bytes:
    file = io.BytesIO()
    joblib.dump(fitted, file, compress=compress)
    return file.getvalue()


WAYS: dict[str, Callable[[Any], bytes]] = {
    **{f"protocol {number}": lambda fitted, n=number: pickle.dumps(fitted, n) for number in (2, 3, 4, 5)},
    "joblib": joblib_bytes,
    **{
        name: lambda fitted, n=name: joblib_bytes(fitted, (n, 3))
        for name in ("zlib", "gzip", "bz2", "xz", "lzma")
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FITTED)
def test_fitted_estimators_are_loaded_as_they_were(name: str, way: str) -> None:
    data = WAYS[way](FITTED[name])
    assert is_pickle(data)
    found = load(data, "model.pkl")
    assert np.array_equal(found.decision_function(ROWS), FITTED[name].decision_function(ROWS))


@pytest.mark.parametrize("way", ["protocol 2", "protocol 3", "protocol 4", "protocol 5", "joblib"])
@pytest.mark.parametrize("name", FITTED)
def test_who_wrote_a_pickle_is_seen_without_loading_it(name: str, way: str) -> None:
    found = written(WAYS[way](FITTED[name]))
    assert found.sklearn == sklearn.__version__
    assert found.modules


# ── pickles of other versions


def of_version(version: str) -> bytes:
    """A pickle as a scikit-learn of this version writes it, but for what changed inside since."""
    return pickle.dumps(SVM, 3).replace(sklearn.__version__.encode(), version.encode())


def reference_pickle(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What the reference's `models/model_1_1` is made of: protocol 3, scikit-learn 0.19.2, its module paths.

    Its classes are made here under those names, and gone again when it is pickled.
    """

    def stub(module: str, name: str) -> type:
        found = type(name, (), {"__module__": module})
        holder = types.ModuleType(module)
        setattr(holder, name, found)
        patch.setitem(sys.modules, module, holder)
        return found

    def filled(kind: type, **state: Any) -> Any:
        made = kind()
        made.__dict__.update(state, _sklearn_version="0.19.2")
        return made

    with monkeypatch.context() as patch:
        scaler = filled(
            stub("sklearn.preprocessing.data", "StandardScaler"),
            **{"with_mean": True, "with_std": True, "copy": True, "n_samples_seen_": 263},
            **{"mean_": np.array([12.5]), "var_": np.array([2.1]), "scale_": np.array([1.45])},
        )
        classifier = filled(
            stub("sklearn.svm.classes", "OneClassSVM"),
            **{"kernel": "rbf", "gamma": 0.01, "nu": 0.0001, "tol": 0.001, "_impl": "one_class"},
            **{"support_vectors_": np.array([[-1.7], [1.7]]), "_dual_coef_": np.array([[0.01, 0.016]])},
        )
        steps = [("scaler", scaler), ("classifier", classifier)]
        pipeline = filled(stub("sklearn.pipeline", "Pipeline"), steps=steps, memory=None)
        return pickle.dumps(pipeline, 3).replace(b"numpy._core", b"numpy.core")


def test_the_references_pickles_are_told_apart_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    data = reference_pickle(monkeypatch)
    found = written(data)
    assert found.sklearn == "0.19.2"
    assert {"sklearn.svm.classes", "sklearn.preprocessing.data"} <= found.modules
    monkeypatch.setattr(pickles, "_Unpickler", None)  # it is not even begun
    with pytest.raises(SensorError) as error:
        load(data, "model_1_1")
    assert error.value.reason == "ModelIncompatible"
    assert error.value.message == (
        f"model_1_1 was written by scikit-learn 0.19.2, installed is {sklearn.__version__}, and pickles of "
        "one version do not hold in another: retrain with `scorer train` (scikit-learn 0.19.2 cannot be "
        "installed beside this program)"
    )


def test_a_reference_pickle_without_its_version_is_known_by_its_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = reference_pickle(monkeypatch).replace(b"_sklearn_version", b"_sklearn_vxrsion")
    with pytest.raises(SensorError, match=r"another scikit-learn: it names sklearn\.preprocessing\.data"):
        load(data, "model_1_1")


@pytest.mark.parametrize("version", ["1.5.2", "2.0.1"])
def test_a_version_that_can_stand_beside_is_named_to_register_with(version: str) -> None:
    with pytest.raises(SensorError, match=f"written by scikit-learn {version}.*scikit-learn=={version}"):
        load(of_version(version), "model.pkl")


def test_a_version_that_differs_in_its_last_number_is_loaded() -> None:
    mended = ".".join([*sklearn.__version__.split(".")[:2], "9"])
    found = load(of_version(mended), "model.pkl")
    assert np.array_equal(found.decision_function(ROWS), SVM.decision_function(ROWS))


def test_joblib_files_of_other_versions_are_told_too() -> None:
    data = joblib_bytes(SVM).replace(sklearn.__version__.encode(), b"1.5.2")
    with pytest.raises(SensorError, match=r"written by scikit-learn 1\.5\.2"):
        load(data, "model.joblib")


# ── what is no fitted estimator


class Calls:
    """Pickled, it is a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("evil", "named"),
    [
        (Calls(os.system, "exit 7"), "system"),
        (Calls(eval, "1 + 1"), "eval"),
        (Calls(getattr, [], "append"), "getattr"),
        (Calls(importlib.import_module, "this"), "import_module"),
        (Calls(np.load, "x.npy"), "load"),
        (Calls(np.frompyfunc, len, 1, 1), "frompyfunc"),
        (Calls(joblib.load, "x.joblib"), "load"),
        (Calls(sklearn.utils.estimator_html_repr, SVM), "estimator_html_repr"),
        (Calls(types.SimpleNamespace), "SimpleNamespace"),
        (io.BytesIO, "BytesIO"),
    ],
)
def test_a_pickle_that_names_anything_else_is_not_loaded(evil: Any, named: str, protocol: int) -> None:
    with pytest.raises(SensorError, match=f"names .*{named}', which is no part of a scikit-learn") as error:
        load(pickle.dumps([SVM, evil], protocol), "model.pkl")
    assert error.value.reason == "ModelIncompatible"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.base", "copy.sys"),
        ("sklearn.utils", "platform.subprocess.Popen"),
        ("numpy", "os.system"),
        ("this", "s"),
        ("builtins", "exec"),
        ("joblib.numpy_pickle", "NDArrayWrapper"),
        ("sklearn", "newObj"),
    ],
)
def test_a_name_does_not_lead_on_into_other_modules(module: str, name: str) -> None:
    loaded = set(sys.modules)
    text = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    with pytest.raises(SensorError, match=r"no part of a scikit-learn|cannot be unpickled"):
        load(b"\x80\x04" + text + b"\x93.", "model.pkl")
    assert "this" not in set(sys.modules) - loaded


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (pickle.dumps({"a": 1}), "ModelIncompatible", "holds a dict: wanted a fitted scikit-learn estimator"),
        (pickle.dumps(ROWS), "ModelIncompatible", "holds a ndarray"),
        (pickle.dumps(OneClassSVM()), "ModelIncompatible", "not fitted"),
        (pickle.dumps(SVM)[:-100], "ModelCorrupt", "is cut off, or no pickle"),
        (joblib_bytes(SVM)[:-100], "ModelCorrupt", "is cut off, or no pickle"),
        (joblib_bytes(SVM, ("gzip", 3))[:-100], "ModelCorrupt", "cannot be unpacked"),
        (joblib_bytes(SVM, ("zlib", 3))[:-100], "ModelCorrupt", "is cut off, or no pickle"),
        (b"", "ModelCorrupt", "is cut off, or no pickle"),
        (b"hello", "ModelCorrupt", "is cut off, or no pickle"),
        (b"csklearn.svm.classes\nOneClassSVM\n.", "ModelIncompatible", "names sklearn.svm.classes"),
        (b"csklearn.svm\nThreeClassSVM\n.", "ModelIncompatible", "cannot be unpickled"),
    ],
)
def test_what_holds_no_fitted_estimator_is_refused_in_one_sentence(
    data: bytes, reason: str, says: str
) -> None:
    with pytest.raises(SensorError) as error:
        load(data, "model.pkl")
    assert error.value.reason == reason
    assert says in error.value.message
    assert "\n" not in error.value.message
    assert len(error.value.message) < 500


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "MAX_BYTES", 10_000)
    for name in ("zlib", "gzip", "bz2", "xz", "lzma"):
        data = joblib_bytes(np.zeros(100_000), (name, 3))
        with pytest.raises(SensorError, match="has more than 10000 bytes"):
            load(data, "model.pkl")


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (b"\x80\x03", "model", True),
        (b"(dp0", "model.PKL", True),
        (b"\x1f\x8b", "model", True),
        (b"\x78\x9c", "model", True),
        (b"xylophone", "model", False),
        (b"time,value\n", "readings.csv", False),
        (b"", "model.safetensors", False),
    ],
)
def test_pickles_are_known_by_their_beginning_or_their_name(data: bytes, name: str, wanted: bool) -> None:
    assert is_pickle(data, name) is wanted


SMALL = [pickle.dumps(SVM, 3), pickle.dumps(SVM, 5), joblib_bytes(SVM), joblib_bytes(SVM, ("zlib", 3))]
spoiled = st.builds(
    lambda data, cuts, cut: _spoilt(data, cuts)[:cut],
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=4)), min_size=1, max_size=6),
    st.integers(0, 10_000),
)


def _spoilt(data: bytes, cuts: list[tuple[int, bytes]]) -> bytes:
    for number, put in cuts:
        place = number % len(data)
        data = data[:place] + put + data[place + len(put) :]
    return data


@settings(max_examples=300)
@given(st.one_of(spoiled, st.binary(max_size=100)))
def test_looking_at_a_pickle_never_fails(data: bytes) -> None:
    written(data)


@settings(max_examples=150)
@given(st.sampled_from(SMALL), st.integers(0, 5000))
def test_a_pickle_that_is_cut_off_is_refused_in_one_sentence(data: bytes, cut: int) -> None:
    """Not one with other bytes: numpy crashes on some, and no digest would be of such a file."""
    with pytest.raises(SensorError) as error:
        load(data[: cut % len(data)], "model.pkl")
    assert error.value.reason in ("ModelCorrupt", "ModelIncompatible")
    assert "\n" not in error.value.message
