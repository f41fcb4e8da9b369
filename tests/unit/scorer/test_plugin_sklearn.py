"""scikit-learn's own estimators as a plugin: what may be in a payload, and what must not."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from plugged import runner
from scorer.contract.outcome import SensorError
from scorer.fit.plugin import Packaged, PackageError, package
from scorer.model import Model, anomalies, stored_scores
from scorer.model.file import read_model, write_plugin_model
from scorer.plugin import CorruptError, IncompatibleError, scikit
from scorer.plugin.payload import Packed, pack, unpack

ROWS = np.random.default_rng(3).normal(size=(200, 2))
FAR = np.array([[0.0, 0.0], [40.0, -40.0]])
PARAMS = {"sklearn": sklearn.__version__, "offset": None}


def model(made: Packaged) -> Model:
    return read_model(
        write_plugin_model(
            made.name, made.payload, ("a", "b"), {}, made.scale, made.border_is_anomaly, made.accepts_missing
        )
    )


def test_models_without_a_compiled_form_are_scored_as_scikit_learn_scores_them(tmp_path: Path) -> None:
    rows = np.concatenate([ROWS, FAR])
    with runner(tmp_path) as made:
        for estimator in (
            LocalOutlierFactor(novelty=True),
            make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True, algorithm="ball_tree")),
            make_pipeline(StandardScaler(), IsolationForest(n_estimators=5, random_state=0)),
        ):
            estimator.fit(ROWS)
            of = model(package(estimator, ROWS))
            found = made.scores(of, rows)
            assert np.array_equal(found, -estimator.decision_function(rows))
            flagged = anomalies(of, stored_scores(of, found))
            assert np.array_equal(flagged == 1, estimator.predict(rows) == -1)
            assert flagged[-2:].tolist() == [0, 1]


@pytest.mark.parametrize("estimator", [KernelDensity(), GaussianMixture(2, random_state=0)])
def test_a_density_gets_a_border_that_a_share_of_the_rows_lies_beyond(estimator: Any) -> None:
    estimator.fit(ROWS)
    made = package(estimator, ROWS, share=0.05)
    packed = unpack(made.payload, 2)
    found = scikit.score(scikit.load(packed.data, packed.params), np.concatenate([ROWS, FAR]))
    assert (found[:-2] > 0).sum() == 10
    assert found[-2] < 0 < found[-1]


def test_the_same_estimator_gives_the_same_bytes() -> None:
    payloads = {
        package(make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)).fit(ROWS), ROWS).payload
        for _ in range(2)
    }
    assert len(payloads) == 1


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (
            make_pipeline(FunctionTransformer(np.log1p), LocalOutlierFactor(novelty=True)),
            "FunctionTransformer as",
        ),
        (StandardScaler(), "gives no score: wanted decision_function or score_samples"),
    ],
)
def test_an_estimator_that_the_plugin_cannot_take_is_refused_at_registration(
    estimator: Any, said: str
) -> None:
    with pytest.raises(PackageError, match=said):
        package(estimator.fit(np.abs(ROWS)), np.abs(ROWS))


def test_whether_missing_values_are_taken_is_tried() -> None:
    from sklearn.impute import SimpleImputer

    bare = LocalOutlierFactor(novelty=True).fit(ROWS)
    filled = make_pipeline(SimpleImputer(), LocalOutlierFactor(novelty=True)).fit(ROWS)
    assert [package(each, ROWS).accepts_missing for each in (bare, filled)] == [False, True]


@pytest.mark.parametrize("written", ["1.0.2", "99.1.0", None, 1.9, ""])
def test_another_version_of_scikit_learn_is_refused_with_what_to_do(written: Any) -> None:
    with pytest.raises(IncompatibleError, match=rf"{written}.*this runtime has .*fit and register it again"):
        scikit.load(data_of(StandardScaler()), {"sklearn": written})


def test_a_release_that_only_mends_is_taken() -> None:
    mended = ".".join([*sklearn.__version__.split(".")[:2], "77"])
    scikit.load(data_of(StandardScaler()), {"sklearn": mended})


def data_of(estimator: Any) -> bytes:
    import skops.io

    dumped: bytes = skops.io.dumps(estimator.fit(ROWS))
    return dumped


def rewritten(
    change: Callable[[dict[str, Any]], Any] = lambda _: None,
    entries: Mapping[str, bytes] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """The payload of a scaler with another schema, and further entries or other ones."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data_of(StandardScaler()))) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(contents.pop("schema.json"))
    change(schema)
    arrays = sorted(contents)
    contents |= {arrays[0] if name == "array" else name: data for name, data in (entries or {}).items()}
    with zipfile.ZipFile(target, "w", compression) as file:
        for name, data in {**contents, "schema.json": json.dumps(schema).encode()}.items():
            file.writestr(name, data)
    return target.getvalue()


def node(loader: str, kind: str, **more: Any) -> dict[str, Any]:
    module, _, name = kind.rpartition(".")
    return {"__loader__": loader, "__module__": module, "__class__": name, "__id__": 1, **more}


def planted(found: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Puts a node into the estimator's state."""
    return lambda schema: schema["content"]["content"].update(evil=found)


TEXT = node("JsonNode", "builtins.str", content='"x"', is_json=True)
SYSTEM = node("FunctionNode", "os.system")


class Executes:
    """What unpickling would run."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


def npy(*, pickled: bool = False, shape: str = "(3,)") -> bytes:
    if pickled:
        target = io.BytesIO()
        np.save(target, np.array([Executes()], object), allow_pickle=True)
        return target.getvalue()
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24)


HOSTILE: dict[str, tuple[Callable[[], bytes], type[Exception], str]] = {
    "a pickle": (lambda: pickle.dumps(Executes()), CorruptError, "BadZipFile"),
    "nothing": (lambda: b"", CorruptError, "BadZipFile"),
    "a zip without a schema": (lambda: zipped({"x.pkl": b"x"}), CorruptError, "schema.json"),
    "a schema that is no object": (lambda: zipped({"schema.json": b"[]"}), CorruptError, ""),
    "a deep schema": (lambda: zipped({"schema.json": b'{"a":' * 200_000}), CorruptError, "RecursionError"),
    "an old protocol": (lambda: rewritten(lambda s: s.update(protocol=0)), IncompatibleError, "protocol 0"),
    "a function": (lambda: rewritten(planted(SYSTEM)), IncompatibleError, "os.system as FunctionNode"),
    "a partial": (
        lambda: rewritten(
            planted(node("PartialNode", "functools.partial", content=dict.fromkeys(("func", "args"), SYSTEM)))
        ),
        IncompatibleError,
        "functools.partial as PartialNode, os.system as FunctionNode",
    ),
    "a method": (
        lambda: rewritten(planted(node("MethodNode", "sklearn.pipeline.Pipeline", content={"func": "fit"}))),
        IncompatibleError,
        "Pipeline as MethodNode",
    ),
    "an operator": (
        lambda: rewritten(planted(node("OperatorFuncNode", "operator.methodcaller", attrs=TEXT))),
        IncompatibleError,
        "OperatorFuncNode",
    ),
    "an allowed type by another way": (
        lambda: rewritten(planted(node("ConstructorFromReduceNode", "numpy.ndarray", content=TEXT))),
        IncompatibleError,
        "numpy.ndarray as ConstructorFromReduceNode",
    ),
    "a type as another kind": (
        lambda: rewritten(planted(node("ListNode", "subprocess.Popen", content=[TEXT]))),
        IncompatibleError,
        "subprocess.Popen as ListNode",
    ),
    "an unknown estimator": (
        lambda: rewritten(lambda s: s.update(__class__="Secret")),
        IncompatibleError,
        "sklearn.preprocessing._data.Secret as ObjectNode",
    ),
    "a node that hides its loader": (
        lambda: rewritten(lambda s: s.update(more=[{"__class__": "system", "__module__": "os"}])),
        IncompatibleError,
        "os.system as None",
    ),
    "a compressed bomb": (
        lambda: rewritten(entries={"0.npy": bytes(10**8)}, compression=zipfile.ZIP_DEFLATED),
        CorruptError,
        "compressed",
    ),
    "an array that is a pickle": (
        lambda: rewritten(entries={"array": npy(pickled=True)}), CorruptError, "allow_pickle"
    ),
    "an array outside": (
        lambda: rewritten(
            lambda s: [array.update(file="../../etc/passwd") for array in arrays_of(s)],
            {"../../etc/passwd": npy(pickled=True)},
        ),
        CorruptError,
        "allow_pickle",
    ),
    "an array of another file": (
        lambda: rewritten(lambda s: [array.update(file="/etc/passwd") for array in arrays_of(s)]),
        CorruptError,
        "no item named '/etc/passwd'",
    ),
    "an array that claims to be larger": (
        lambda: rewritten(entries={"array": npy(shape="(4,)")}), CorruptError, ""
    ),
}  # fmt: skip


def arrays_of(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) and schema.get("__loader__") == "NdArrayNode" else []
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        found += arrays_of(value)
    return found


def zipped(entries: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_payloads_are_refused_and_execute_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, kind, said = HOSTILE[name]
    with pytest.raises(kind) as raised:
        scikit.load(make(), PARAMS)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_two_entries_of_one_place_are_refused() -> None:
    """As many entries as one likes could lie upon the same bytes."""
    data = bytearray(rewritten(entries={f"{i}.npy": bytes(100_000) for i in range(3)}))
    with pytest.raises(CorruptError, match="lie upon one another"):
        scikit.load(overlapping(bytes(data)), PARAMS)


def overlapping(data: bytes) -> bytes:
    """A directory that names every entry of `data` twice, under another name."""
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a") as file:
        for entry in list(file.infolist()):
            twin = zipfile.ZipInfo(f"twin-{entry.filename}")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(twin, field, getattr(entry, field))
            file.filelist.append(twin)
            file.NameToInfo[twin.filename] = twin
        file._didModify = True
    return target.getvalue()


def test_hostile_payloads_have_their_reason_in_a_pod_too(tmp_path: Path) -> None:
    packaged = package(LocalOutlierFactor(novelty=True).fit(ROWS), ROWS)
    packed = unpack(packaged.payload, 2)
    reasons = {
        "PluginOutOfMemory": rewritten(entries={"array": npy(shape=f"({10**10},)")}),
        "ModelCorrupt": pickle.dumps(Executes()),
        "ModelIncompatible": rewritten(planted(SYSTEM)),
    }
    with runner(tmp_path) as made:
        for reason, data in reasons.items():
            hostile = packaged._replace(payload=pack(Packed(data, packed.params, *packed[2:])))
            with pytest.raises(SensorError) as raised:
                made.scores(model(hostile), ROWS)
            assert raised.value.reason == reason, raised.value
        assert len(made.scores(model(packaged), ROWS)) == len(ROWS)


SOUND = data_of(make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)))


@given(
    st.lists(
        st.tuples(st.integers(0, len(SOUND) - 1), st.binary(min_size=0, max_size=6), st.integers(0, 40)),
        min_size=1,
        max_size=5,
    )
)
def test_damaged_payloads_are_read_or_refused(damage: list[tuple[int, bytes, int]]) -> None:
    data = SOUND
    for place, put, dropped in damage:
        data = data[:place] + put + data[place + dropped :]
    with contextlib.suppress(CorruptError, IncompatibleError, MemoryError):
        scikit.load(data, PARAMS)
