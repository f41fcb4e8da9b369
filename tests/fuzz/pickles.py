"""The target of those who register pickles: whatever is in one, nothing of it may run that harms."""

from __future__ import annotations

import io
import pickle
import pickletools
import sys
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

import joblib  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator

from estimators import ESTIMATORS, TRANSFORMS, fitted, rows_of
from fuzz.mutate import as_bytes
from fuzz.target import READ, Target, refusal
from scorer.contract.outcome import SensorError
from scorer.fit.pickles import load

HARM = ("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "webbrowser.", "ftplib.", "urllib.", "winreg.")
HARMLESS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk")
CALLS = [
    b"cos\nsystem\n(S'true'\ntR",
    b"cbuiltins\neval\n(S'1'\ntR",
    b"cbuiltins\nopen\n(S'/tmp/pwned'\nS'w'\ntR",
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


TARGETS = (Target("pickles", 700, _files, _as_pickle, _read, grows_mib=1100),)
