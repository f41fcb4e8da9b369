"""Pickle and joblib files of fitted estimators: looked at without executing anything, then loaded.

Loading a pickle runs what it says, so this is done where models are registered and never in a pod, only with
`--allow-pickle` and the digest of the very bytes that are loaded. Two things stand before it:

- the opcodes are read (pickletools executes nothing) for the scikit-learn that wrote the file: pickles of
  another version are not supported by scikit-learn, and of an old one end in a stack trace, or worse, load
  and compute something else (https://scikit-learn.org/stable/model_persistence.html);
- only what scikit-learn's own estimators are made of can be named in the file: no function of the operating
  system is found by a name in it. This narrows what a wrong file can do; it does not make a stranger's safe.
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
from importlib.machinery import PathFinder
from typing import Any

import numpy as np
import sklearn
from joblib.numpy_pickle import NumpyUnpickler  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from scorer.contract.outcome import SensorError
from scorer.fit.pickled import VERSION, Written, unpacked, written

OLDEST_HERE = (1, 2)
"""The first scikit-learn for Python 3.11: an older one cannot stand beside this program."""

_ROOTS = frozenset(
    {"__builtin__", "_codecs", "builtins", "collections", "copy_reg", "copyreg", "joblib", "numpy", "scipy"}
    | {"sklearn"}
)
"""Packages that are imported for a pickle at all."""
_BUILT_IN = "object slice set frozenset bytearray bytes complex list dict tuple range int float bool str"
_SAFE = frozenset(
    [
        *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in _BUILT_IN.split()),
        *("copyreg._reconstructor", "copy_reg._reconstructor", "_codecs.encode"),
        *("collections.OrderedDict", "collections.defaultdict"),
        *("numpy.ndarray", "numpy.dtype", "numpy.random._mt19937.MT19937"),
        *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
        *("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
        *("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"),
        *("numpy.random._pickle.__randomstate_ctor", "numpy.random._pickle.__generator_ctor"),
        "numpy.random._pickle.__bit_generator_ctor",
        "joblib.numpy_pickle.NumpyArrayWrapper",
    ]
)
"""What scikit-learn's pickles name besides its own classes: containers, and how numpy makes arrays."""


def load(data: bytes, name: str) -> Any:
    """The fitted estimator or Pipeline in these bytes, whose digest was checked.

    Raises SensorError with ModelIncompatible or ModelCorrupt, in one sentence.
    """
    plain = unpacked(data, name)
    _check_written(written(plain), name)
    try:
        with warnings.catch_warnings():
            # Between versions that differ in the last number only: those are let through.
            warnings.simplefilter("ignore")
            loaded = _Unpickler(name, io.BytesIO(plain), ensure_native_byte_order=True).load()
    except _ForbiddenError as error:
        raise SensorError("ModelIncompatible", f"{name} {error}") from error
    except (pickle.UnpicklingError, EOFError, struct.error, MemoryError) as error:
        said = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
        raise SensorError("ModelCorrupt", f"{name} is cut off, or no pickle: {said}") from error
    except Exception as error:  # a pickle can raise anything: it is a program
        said = (str(error).splitlines() or [""])[0][:160]
        raise SensorError(
            "ModelIncompatible",
            f"{name} cannot be unpickled with scikit-learn {sklearn.__version__} "
            f"({type(error).__name__}: {said}): retrain with `scorer train`, or register it where it was "
            "made",
        ) from error
    return _checked(loaded, name)


class _ForbiddenError(Exception):
    """The pickle names what no fitted estimator needs."""


class _Unpickler(NumpyUnpickler):  # type: ignore[misc]
    """joblib's, for its own files and plain ones, that finds only what estimators are made of."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of this name. Raises _ForbiddenError, and what importing raises."""
        root = module.partition(".")[0]
        # A name with a dot would walk on from a module into those that it imports.
        if root in _ROOTS and "." not in name:
            found = super().find_class(module, name)
            if f"{module}.{name}" in _SAFE or _is_part(found, root, name):
                return found
        raise _ForbiddenError(
            f"names {f'{module}.{name}'[:120]!r}, which is no part of a scikit-learn estimator: "
            "it is not loaded"
        )


def _is_part(found: object, root: str, name: str) -> bool:
    """Whether it is a class of scikit-learn's or of sparse matrices, a number's, or makes such an object."""
    home = str(getattr(found, "__module__", "") or "")
    if root == "numpy":
        return isinstance(found, type) and issubclass(found, np.generic)
    if root == "scipy":
        return isinstance(found, type) and home.startswith("scipy.sparse")
    # Functions by which Cython's classes and the trees of neighbours are made again.
    makes = name.startswith("__pyx_unpickle_") or name == "newObj"
    return root == "sklearn" and home.startswith("sklearn.") and (isinstance(found, type) or makes)


def _check_written(by: Written, name: str) -> None:
    """Raises SensorError for a file of another scikit-learn."""
    here = sklearn.__version__
    gone = sorted(module for module in by.modules if not _exists(module))
    if by.sklearn is None and gone:
        raise SensorError(
            "ModelIncompatible",
            f"{name} was written by another scikit-learn: it names {gone[0]}, which {here} does not have; "
            "retrain with `scorer train`",
        )
    numbers = _numbers(by.sklearn)
    if numbers is None or numbers == _numbers(here):
        return
    if numbers >= OLDEST_HERE:
        way = f"or register it from an environment with scikit-learn=={by.sklearn}"
    else:
        way = f"scikit-learn {by.sklearn} cannot be installed beside this program"
    raise SensorError(
        "ModelIncompatible",
        f"{name} was written by scikit-learn {by.sklearn}, installed is {here}, and pickles of one version "
        f"do not hold in another: retrain with `scorer train` ({way})",
    )


def _numbers(version: str | None) -> tuple[int, int] | None:
    found = VERSION.match(version or "")
    return (int(found[1][:6]), int(found[2][:6])) if found else None


def _exists(module: str) -> bool:
    """Whether the installed scikit-learn has it, by its files: nothing is imported."""
    path = list(sklearn.__path__)
    parts = module.split(".")
    for number in range(2, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), path)
        if spec is None:
            return False
        path = list(spec.submodule_search_locations or [])
    return True


def _checked(loaded: object, name: str) -> Any:
    if not isinstance(loaded, BaseEstimator) or not hasattr(loaded, "fit"):
        raise SensorError(
            "ModelIncompatible",
            f"{name} holds a {type(loaded).__name__}: wanted a fitted scikit-learn estimator or Pipeline",
        )
    try:
        check_is_fitted(loaded)
    except NotFittedError as error:
        raise SensorError("ModelIncompatible", f"{name} holds an estimator that is not fitted") from error
    except Exception as error:  # it asks parts that may be anything
        said = f"{name} holds an estimator that is not whole: {type(error).__name__}"
        raise SensorError("ModelCorrupt", said) from error
    return loaded
