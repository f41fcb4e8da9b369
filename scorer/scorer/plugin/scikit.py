"""The built-in plugin `sklearn`: fitted scikit-learn estimators, as skops stores them, without pickle.

A payload is a zip file whose `schema.json` says which objects of which types to make, and whose other
entries are arrays. What may be made is listed here, type by type, and all else is refused before anything is
imported for it; skops then checks the same list again. What a trusted type does with hostile numbers (a tree
whose nodes point nowhere) is not checked: that is what the process around it is for.

Nothing in the zip file is compressed: it holds no more than its own size.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import sklearn
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from scorer.plugin import CorruptError, IncompatibleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROTOCOL = 2
"""Of skops's format. Others go through other code of it, which nobody has looked at here."""

_NUMPY_NUMBERS = (
    *("bool_", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64"),
)
_ESTIMATORS = (
    *("covariance._elliptic_envelope.EllipticEnvelope", "covariance._robust_covariance.MinCovDet"),
    *("decomposition._factor_analysis.FactorAnalysis", "decomposition._fastica.FastICA"),
    *("decomposition._incremental_pca.IncrementalPCA", "decomposition._kernel_pca.KernelPCA"),
    *("decomposition._nmf.NMF", "decomposition._pca.PCA", "decomposition._truncated_svd.TruncatedSVD"),
    "ensemble._iforest.IsolationForest",
    *("impute._base.MissingIndicator", "impute._base.SimpleImputer", "impute._knn.KNNImputer"),
    *("kernel_approximation.AdditiveChi2Sampler", "kernel_approximation.Nystroem"),
    *("kernel_approximation.PolynomialCountSketch", "kernel_approximation.RBFSampler"),
    "kernel_approximation.SkewedChi2Sampler",
    "linear_model._stochastic_gradient.SGDOneClassSVM",
    *("mixture._bayesian_mixture.BayesianGaussianMixture", "mixture._gaussian_mixture.GaussianMixture"),
    *("neighbors._kde.KernelDensity", "neighbors._lof.LocalOutlierFactor"),
    "pipeline.Pipeline",
    *("preprocessing._data.KernelCenterer", "preprocessing._data.MaxAbsScaler"),
    *("preprocessing._data.MinMaxScaler", "preprocessing._data.Normalizer"),
    *("preprocessing._data.PowerTransformer", "preprocessing._data.QuantileTransformer"),
    *("preprocessing._data.RobustScaler", "preprocessing._data.StandardScaler"),
    *("preprocessing._discretization.KBinsDiscretizer", "preprocessing._polynomial.PolynomialFeatures"),
    "svm._classes.OneClassSVM",
    "tree._classes.ExtraTreeRegressor",
)
_PARTS = (
    *("neighbors._ball_tree.BallTree", "neighbors._kd_tree.KDTree"),
    *(
        f"metrics._dist_metrics.{name}Distance64"
        for name in ("Euclidean", "SEuclidean", "Manhattan", "Chebyshev", "Minkowski", "Mahalanobis")
    ),
)
ALLOWED: Mapping[str, frozenset[str]] = {
    "ObjectNode": frozenset(f"sklearn.{name}" for name in (*_ESTIMATORS, *_PARTS)),
    "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
    "LossNode": frozenset({"sklearn.linear_model._sgd_fast.Hinge"}),
    "DictNode": frozenset({"builtins.dict"}),
    "ListNode": frozenset({"builtins.list"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "JsonNode": frozenset({"builtins.str"}),
    "TypeNode": frozenset({"builtins.str", "builtins.int", *(f"numpy.{name}" for name in _NUMPY_NUMBERS)}),
    "NdArrayNode": frozenset({"numpy.ndarray", *(f"numpy.{name}" for name in _NUMPY_NUMBERS)}),
    "DTypeNode": frozenset({"numpy.dtype", *(f"numpy.dtypes.{n}DType" for n in ("Float64", "Float32"))}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
}
"""skops's kinds of objects, and the types that each may have here."""


class Loaded(NamedTuple):
    """An estimator, and the border of one that knows none itself."""

    estimator: Any
    offset: float | None


def load(payload: bytes, params: Mapping[str, Any]) -> Loaded:
    """The estimator of a payload. `params`: `sklearn`, its version; `offset`, the border of densities.

    Raises IncompatibleError and CorruptError.
    """
    _check_version(params.get("sklearn"))
    try:
        _check(payload)
        estimator = skops.io.loads(payload, trusted=sorted(set().union(*ALLOWED.values())))
    except (IncompatibleError, CorruptError, MemoryError):
        raise
    except UntrustedTypesFoundException as error:
        raise IncompatibleError(f"payload is refused: {error}") from error
    except Exception as error:  # the library raises whatever its parts do
        said = (str(error).splitlines() or [""])[0][:200]
        raise CorruptError(f"payload cannot be read: {type(error).__name__}: {said}") from error
    offset = params.get("offset")
    if offset is not None and not isinstance(offset, float):
        raise CorruptError(f"offset is {offset!r}: wanted a number")
    return Loaded(estimator, offset)


def score(model: Loaded, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The decision function (n,), its sign turned; for a density, how far its logarithm is below `offset`."""
    if model.offset is None:
        return -np.asarray(model.estimator.decision_function(rows), float)
    return model.offset - np.asarray(model.estimator.score_samples(rows), float)


def _check_version(written: Any) -> None:
    """scikit-learn promises nothing between versions; within one, releases only mend."""
    if not isinstance(written, str) or written.split(".")[:2] != sklearn.__version__.split(".")[:2]:
        raise IncompatibleError(
            f"model was fitted by scikit-learn {written}, this runtime has {sklearn.__version__}: fit and"
            " register it again with that one, or name a runtime with the other"
        )


def _check(payload: bytes) -> None:
    """That the zip file is plain and its schema makes nothing that is not allowed."""
    with zipfile.ZipFile(io.BytesIO(payload)) as file:
        entries = file.infolist()
        names = [entry.filename for entry in entries]
        if (
            len(set(names)) < len(names)
            or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            or sum(entry.file_size for entry in entries) > len(payload)
        ):
            raise CorruptError("payload's entries are compressed, or lie upon one another: wanted plain ones")
        schema = json.loads(file.read("schema.json"))
    if schema.get("protocol") != PROTOCOL or isinstance(schema["protocol"], bool):
        raise IncompatibleError(f"payload has skops's protocol {schema.get('protocol')!r}: wanted {PROTOCOL}")
    refused = sorted({f"{kind} as {loader}" for loader, kind in _nodes(schema) if kind not in _of(loader)})
    if refused:
        more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise IncompatibleError(f"payload holds {', '.join(refused[:3])}{more}, which is not allowed")


def _of(loader: str) -> frozenset[str]:
    return ALLOWED.get(loader, frozenset())


def _nodes(schema: Any) -> Iterator[tuple[str, str]]:
    """Loader and type of whatever could be taken for an object, wherever in the schema it stands."""
    left = [schema]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            if not found.keys().isdisjoint(("__loader__", "__class__", "__module__")):
                loader, module, name = (found.get(key) for key in ("__loader__", "__module__", "__class__"))
                yield str(loader), f"{module}.{name}"
            left.extend(found.values())
        elif isinstance(found, list):
            left.extend(found)
