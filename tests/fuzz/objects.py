"""Targets that make objects of files: pickles when they are registered, payloads of plugins. Whatever is in
one, nothing of it may run that harms.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import sys
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import joblib  # type: ignore[import-untyped]
import sklearn
from sklearn.base import BaseEstimator
from sklearn.neighbors import LocalOutlierFactor

from estimators import ESTIMATORS, TRANSFORMS, fitted, rows_of
from fuzz.mutate import as_bytes, as_json
from fuzz.target import READ, Target, refusal
from scorer.contract.outcome import SensorError
from scorer.fit.pickles import load
from scorer.fit.plugin import package
from scorer.plugin import CorruptError, IncompatibleError, scikit
from scorer.plugin.payload import unpack

HARM = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "webbrowser.", "ftplib.", "urllib.", "winreg.")
HARMLESS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk")
CALLS = [
    b"cos\nsystem\n(S'true'\ntR",
    b"cbuiltins\neval\n(S'1'\ntR",
    b"cbuiltins\nopen\n(S'pwned'\nS'w'\ntR",
    b"csubprocess\nPopen\n(S'true'\ntR",
    b"cnumpy\nload\n(S'/dev/null'\ntR",
    b"cjoblib\nload\n(S'/dev/null'\ntR",
    b"csklearn.datasets\nfetch_openml\n(S'x'\ntR",
    b"csklearn.utils\nos.system\n(S'true'\ntR",
    b"cbuiltins\ngetattr\n",
    b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",
    b"cbuiltins\nbytearray\n(I1000000000000\ntR",
    b"cbuiltins\nrange\n(I1000000000000\ntRccopyreg\n_reconstructor\n",
    b"cnumpy\nndarray\n((I1000000\nI1000000\nttR",
]
_seen: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        _seen.append(f"open {arguments[0]} to write")
    elif event.startswith(HARM) and event not in HARMLESS:
        _seen.append(event)


def _files() -> list[bytes]:
    rows = rows_of(2, 80)
    found = []
    for name in ("rbf", "forest", "ellipse"):
        pipeline = fitted(TRANSFORMS["standard"], ESTIMATORS[name], rows)
        found += [pickle.dumps(pipeline, protocol) for protocol in (2, 4)]
        for compress in (0, ("zlib", 3), ("xz", 3)):
            file = io.BytesIO()
            joblib.dump(pipeline, file, compress=compress)
            found.append(file.getvalue())
    sys.addaudithook(_watch)
    return found


def _as_pickle(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Calls put in between opcodes; or any bytes changed."""
    if chance.random() < 0.6:
        return as_bytes(data, others, chance)
    places = [0, len(data) - 1]
    with suppress(ValueError, IndexError):  # compressed
        places += [place for _, _, place in pickletools.genops(data[:20_000]) if place]
    at = chance.choice(places)
    return data[:at] + chance.choice(CALLS) + chance.choice([b"", b".", b"0"]) + data[at:]


def _read(data: bytes, _: Random) -> str:
    _seen.clear()
    try:
        found = load(data, "model.pkl")
    except SensorError as error:
        assert not _seen, _seen
        return refusal(error.reason, error.message, "model.pkl", among=("ModelCorrupt", "ModelIncompatible"))
    assert not _seen, _seen
    assert isinstance(found, BaseEstimator)
    return READ


@cache
def _packaged() -> tuple[Any, ...]:
    rows = rows_of(2, 80)
    neighbours = LocalOutlierFactor(novelty=True).fit(rows)
    pipelines = [fitted(TRANSFORMS["standard"], ESTIMATORS[name], rows) for name in ("rbf", "forest")]
    return tuple(package(each, rows) for each in (neighbours, *pipelines))


def _payloads() -> list[bytes]:
    return [each.payload for each in _packaged()]


def _as_payload(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """A safetensors file: the JSON in its header, or any bytes."""
    if chance.random() < 0.5:
        return as_bytes(data, others, chance)
    length = int.from_bytes(data[:8], "little")
    header = as_json(data[8 : 8 + length], [data[8 : 8 + length]], chance)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _unpack(data: bytes, _: Random) -> str:
    try:
        packed = unpack(data, 2)
    except SensorError as error:
        return refusal(error.reason, error.message, "payload", among=("ModelCorrupt", "ModelIncompatible"))
    assert len(packed.golden_rows) == len(packed.golden_scores)
    return READ


def _zips() -> list[bytes]:
    found = [unpack(payload, 2).data for payload in _payloads()]
    sys.addaudithook(_watch)
    return found


def _as_zip(data: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """Its schema changed, or one of its arrays; or any bytes."""
    if chance.random() < 0.3:
        return as_bytes(data, others, chance)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        broken = "schema.json" if chance.random() < 0.7 else chance.choice(names)
        for name in names:
            content = old.read(name)
            if name == broken:
                content = (as_json if name == "schema.json" else as_bytes)(content, [content], chance)
            new.writestr(zipfile.ZipInfo(chance.choice([name] * 50 + ["../" + name, "x"])), content)
    return out.getvalue()


def _load(data: bytes, _: Random) -> str:
    """As the plugin's own process does it, which also bounds what hostile numbers can do afterwards."""
    _seen.clear()
    try:
        scikit.load(data, {"sklearn": sklearn.__version__})
    except (IncompatibleError, CorruptError) as error:
        return refusal(type(error).__name__, str(error), "", among=("IncompatibleError", "CorruptError"))
    finally:
        assert not _seen, _seen
    return READ


TARGETS = (
    Target("pickles", 700, _files, _as_pickle, _read, grows_mib=1100),
    Target("payloads of plugins", 400, _payloads, _as_payload, _unpack, grows_mib=64),
    Target("payloads of scikit-learn's plugin", 500, _zips, _as_zip, _load, grows_mib=1100),
)
