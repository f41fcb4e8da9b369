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

import bz2
import gzip
import io
import lzma
import pickle
import pickletools
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import Any, NamedTuple

import numpy as np
import sklearn
from joblib.numpy_pickle import NumpyUnpickler  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from scorer.contract.outcome import SensorError

MAX_BYTES = 256 * 1024 * 1024
"""Of a pickle, unpacked."""
ENDINGS = (".pkl", ".pickle", ".joblib", ".sav", ".p")
OLDEST_HERE = (1, 2)
"""The first scikit-learn for Python 3.11: an older one cannot stand beside this program."""

_UNPACKERS = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x5d\x00": lzma.open,
}
_MODULE = re.compile(r"sklearn(\.[A-Za-z_]\w*)+", re.ASCII)
_VERSION = re.compile(r"(\d+)\.(\d+)[\w.]*", re.ASCII)
_RAW_MODULE = re.compile(rb"sklearn(?:\.[A-Za-z_]\w*)+")
_RAW_VERSION = re.compile(rb"_sklearn_version.{1,16}?(\d+\.\d+[\w.]*)", re.DOTALL)
_STRINGS = frozenset({"GLOBAL", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})

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


class Written(NamedTuple):
    """What a pickle says of itself."""

    sklearn: str | None
    modules: frozenset[str]
    """Of scikit-learn's, as it names them."""


def is_pickle(data: bytes, name: str = "") -> bool:
    """Whether these bytes look like a pickle or a joblib file, by their beginning or by the file's name."""
    begins = data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05"
    return begins or _unpacker(data) is not None or name.lower().endswith(ENDINGS)


def load(data: bytes, name: str) -> Any:
    """The fitted estimator or Pipeline in these bytes, whose digest was checked.

    Raises SensorError with ModelIncompatible or ModelCorrupt, in one sentence.
    """
    plain = _unpacked(data, name)
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


def written(data: bytes) -> Written:
    """Who wrote these bytes, from their opcodes. Executes nothing.

    From the first raw array on, which joblib puts between opcodes, from the bytes themselves.
    """
    version: str | None = None
    modules: set[str] = set()
    awaited = False
    place = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pickletools warns of what it decodes
        try:
            for text, place in _strings(data):  # noqa: B007 (the last place is needed after it)
                if awaited and version is None and _VERSION.fullmatch(text):
                    version = text
                awaited = text == "_sklearn_version"
                modules.update(part for part in text.split(" ") if _MODULE.fullmatch(part))
        except _NoOpcodeError:
            rest = data[max(0, place - 64) :]
            found = _RAW_VERSION.search(rest)
            version = version or (found[1].decode("ascii", "replace") if found else None)
            modules.update(each.decode("ascii", "replace") for each in _RAW_MODULE.findall(rest))
    return Written(version, frozenset(modules))


class _NoOpcodeError(Exception):
    """From here on the bytes are no opcodes."""


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


def _strings(data: bytes) -> Iterator[tuple[str, int]]:
    """All strings of a pickle with their places. Raises _NoOpcodeError where opcodes end before a STOP."""
    try:
        for opcode, argument, place in pickletools.genops(data):
            if opcode.name in _STRINGS:
                yield str(argument), place or 0
    except (ValueError, IndexError, OverflowError, EOFError) as error:
        raise _NoOpcodeError from error


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
    found = _VERSION.match(version or "")
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


def _unpacker(data: bytes) -> Any:
    known = next((each for magic, each in _UNPACKERS.items() if data.startswith(magic)), None)
    return known or (_inflate if data[:1] == b"\x78" and data[1:2] in b"\x01\x5e\x9c\xda" else None)


def _inflate(file: io.BytesIO) -> io.BytesIO:
    return io.BytesIO(zlib.decompressobj().decompress(file.getvalue(), MAX_BYTES + 1))


def _unpacked(data: bytes, name: str) -> bytes:
    """The bytes as joblib wrote them before it compressed them. Raises SensorError."""
    unpacker = _unpacker(data)
    try:
        plain = unpacker(io.BytesIO(data)).read(MAX_BYTES + 1) if unpacker else data
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise SensorError("ModelCorrupt", f"{name} cannot be unpacked: {error}") from error
    if len(plain) > MAX_BYTES:
        raise SensorError("ModelIncompatible", f"{name} has more than {MAX_BYTES} bytes")
    return plain


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
