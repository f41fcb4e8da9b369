"""What a pickle or joblib file says of itself, without executing anything. Needs no scikit-learn."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import re
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from scorer.contract.outcome import SensorError

MAX_BYTES = 256 * 1024 * 1024
"""Of a pickle, unpacked."""
ENDINGS = (".pkl", ".pickle", ".joblib", ".sav", ".p")

_UNPACKERS = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x5d\x00": lzma.open,
}
_MODULE = re.compile(r"sklearn(\.[A-Za-z_]\w*)+", re.ASCII)
VERSION = re.compile(r"(\d+)\.(\d+)[\w.]*", re.ASCII)
_RAW_MODULE = re.compile(rb"sklearn(?:\.[A-Za-z_]\w*)+")
_RAW_VERSION = re.compile(rb"_sklearn_version.{1,16}?(\d+\.\d+[\w.]*)", re.DOTALL)
_STRINGS = frozenset({"GLOBAL", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})


class Written(NamedTuple):
    """What a pickle says of itself."""

    sklearn: str | None
    modules: frozenset[str]
    """Of scikit-learn's, as it names them."""


def is_pickle(data: bytes, name: str = "") -> bool:
    """Whether these bytes look like a pickle or a joblib file, by their beginning or by the file's name."""
    begins = data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05"
    return begins or _unpacker(data) is not None or name.lower().endswith(ENDINGS)


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
                if awaited and version is None and VERSION.fullmatch(text):
                    version = text
                awaited = text == "_sklearn_version"
                modules.update(part for part in text.split(" ") if _MODULE.fullmatch(part))
        except _NoOpcodeError:
            rest = data[max(0, place - 64) :]
            found = _RAW_VERSION.search(rest)
            version = version or (found[1].decode("ascii", "replace") if found else None)
            modules.update(each.decode("ascii", "replace") for each in _RAW_MODULE.findall(rest))
    return Written(version, frozenset(modules))


def _unpacker(data: bytes) -> Any:
    known = next((each for magic, each in _UNPACKERS.items() if data.startswith(magic)), None)
    return known or (_inflate if data[:1] == b"\x78" and data[1:2] in b"\x01\x5e\x9c\xda" else None)


def _inflate(file: io.BytesIO) -> io.BytesIO:
    return io.BytesIO(zlib.decompressobj().decompress(file.getvalue(), MAX_BYTES + 1))


def unpacked(data: bytes, name: str) -> bytes:
    """The bytes as joblib wrote them before it compressed them. Raises SensorError."""
    unpacker = _unpacker(data)
    try:
        plain = unpacker(io.BytesIO(data)).read(MAX_BYTES + 1) if unpacker else data
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise SensorError("ModelCorrupt", f"{name} cannot be unpacked: {error}") from error
    if len(plain) > MAX_BYTES:
        raise SensorError("ModelIncompatible", f"{name} has more than {MAX_BYTES} bytes")
    return plain


class _NoOpcodeError(Exception):
    """From here on the bytes are no opcodes."""


def _strings(data: bytes) -> Iterator[tuple[str, int]]:
    """All strings of a pickle with their places. Raises _NoOpcodeError where opcodes end before a STOP."""
    try:
        for opcode, argument, place in pickletools.genops(data):
            if opcode.name in _STRINGS:
                yield str(argument), place or 0
    except (ValueError, IndexError, OverflowError, EOFError) as error:
        raise _NoOpcodeError from error
