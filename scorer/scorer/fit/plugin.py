"""A fitted scikit-learn estimator that has no compiled form, as the payload of the plugin `sklearn`.

It needs a runtime whose image has scikit-learn: some four seconds and 200 MiB more for each pod.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import sklearn.svm
import skops.io

from scorer.errors import InputError
from scorer.plugin import CorruptError, IncompatibleError, scikit
from scorer.plugin.payload import Packed, pack
from scorer.plugin.runner import TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "sklearn"
SHARE = 0.01
"""Of the training rows that lie outside, where a density has no border of its own."""
_GOLDEN = 32


class PackageError(InputError):
    """An estimator that the plugin cannot take."""


class Packaged(NamedTuple):
    """What `write_plugin_model` makes a model file of, beside features and metadata."""

    name: str
    payload: bytes
    scale: float
    border_is_anomaly: bool
    accepts_missing: bool


def package(fitted: Any, rows: NDArray[np.float64], share: float = SHARE) -> Packaged:
    """The payload of a fitted estimator or Pipeline, with golden rows among `rows` (n, features) and outside.

    An estimator that only knows densities (KernelDensity, GaussianMixture) gets a border that `share` of the
    rows lie beyond. The same estimator gives the same bytes. Raises PackageError for what the plugin refuses,
    and where it does not score like the estimator itself.
    """
    offset = None
    if not hasattr(fitted, "decision_function"):
        if not hasattr(fitted, "score_samples"):
            raise PackageError(
                f"{type(fitted).__name__} gives no score: wanted decision_function or score_samples"
            )
        offset = float(np.quantile(fitted.score_samples(rows), share))
    params = {"sklearn": sklearn.__version__, "offset": offset}
    data = _plain(skops.io.dumps(fitted))
    try:
        loaded = scikit.load(data, params)
    except (IncompatibleError, CorruptError) as error:
        raise PackageError(f"{type(fitted).__name__} cannot be packaged: {error}") from error
    golden = _golden(rows)
    scores = scikit.score(scikit.Loaded(fitted, offset), golden)
    if not np.isfinite(scores).all():
        raise PackageError(f"{type(fitted).__name__} gives scores that are not finite: {scores[:3]}")
    scale = float(np.abs(scores).max()) or 1.0
    difference = float(np.abs(scikit.score(loaded, golden) - scores).max())
    if not difference <= TOLERANCE * scale:
        raise PackageError(f"{type(fitted).__name__} scores otherwise once stored: by {difference:.3g}")
    payload = pack(Packed(data, params, golden, scores))
    return Packaged(NAME, payload, scale, _border_is_anomaly(fitted), _accepts_missing(loaded, golden))


def _golden(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows from everywhere among the given ones, and the same moved outwards, where models differ more."""
    whole = rows[np.isfinite(rows).all(axis=1)]
    if not len(whole):
        raise PackageError("no row has all its values: wanted some to prove the model by")
    chosen = whole[np.unique(np.linspace(0, len(whole) - 1, _GOLDEN // 2).astype(int))]
    centre = whole.mean(axis=0)
    return np.concatenate([chosen, centre + 3 * (chosen - centre)])


def _border_is_anomaly(fitted: Any) -> bool:
    """Only libsvm calls a decision of exactly 0 an anomaly."""
    last = fitted[-1] if hasattr(fitted, "steps") else fitted
    return isinstance(last, sklearn.svm.OneClassSVM)


def _accepts_missing(loaded: scikit.Loaded, rows: NDArray[np.float64]) -> bool:
    """Whether it scores rows that lack any one value."""
    width = rows.shape[1]
    probes = np.repeat(rows[:1], width, axis=0)
    probes[np.diag_indices(width)] = np.nan
    try:
        return bool(np.isfinite(scikit.score(loaded, probes)).all())
    except ValueError:  # scikit-learn's word for it
        return False


def _plain(dump: bytes) -> bytes:
    """A dump without what differs from one to the next: addresses of objects, names of files by them, times.

    Addresses that stand for one object in several places are kept, as small numbers in order of appearance.
    """
    with zipfile.ZipFile(io.BytesIO(dump)) as file:
        schema = json.loads(file.read("schema.json"))
        nodes = [node for node in _objects(schema) if "__id__" in node]
        shared = Counter(node["__id__"] for node in nodes if node["__loader__"] != "JsonNode")
        numbers: dict[int, int] = {}
        files: dict[str, str] = {}
        for node in nodes:
            address = node.pop("__id__")
            if shared[address] > 1 and node["__loader__"] != "JsonNode":
                node["__id__"] = numbers.setdefault(address, len(numbers) + 1)
            if "file" in node:
                suffix = node["file"].rpartition(".")[2]
                node["file"] = files.setdefault(node["file"], f"{len(files) + 1}.{suffix}")
        plain = io.BytesIO()
        with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as target:
            for name, renamed in files.items():
                target.writestr(zipfile.ZipInfo(renamed), file.read(name))  # its time is 1980, always
            target.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema))
    return plain.getvalue()


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """The dictionaries of a JSON document, each before those within it, in order."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)
