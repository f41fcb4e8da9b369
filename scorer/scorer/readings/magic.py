"""What a file is by its first bytes, where it is not what its name or the run says."""

from __future__ import annotations

from scorer.contract.outcome import SensorError

BEGIN, SHOWN = 16, 8
"""Bytes that tell."""
# https://www.garykessler.net/library/file_sigs.html and each format's own specification
_KINDS = (
    (b"PAR1", "Parquet"),
    (b"PARE", "encrypted Parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a ZIP archive (.xlsx is one, too)"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"Obj\x01", "Avro"),
    (b"ARROW1\0\0", "Arrow IPC"),
    (b"SQLite format 3\0", "SQLite"),
)
_TEXT = frozenset(range(32, 127)) | set(b"\t\r\n")


def kind_of(begin: bytes) -> str:
    """What a file is that begins so; nothing for text, and for what is not known."""
    begin = begin[:BEGIN]
    if _TEXT.issuperset(begin):
        return ""  # a column may be called PAR1
    return next((kind for magic, kind in _KINDS if begin.startswith(magic)), "")


def refuse_as_text(path: str, begin: bytes) -> None:
    """Raises SensorError for a file that is read as text and begins as what is none."""
    if kind := kind_of(begin):
        how = "; its name ends .parquet, or readings.format is Parquet, if it is meant so"
        raise SensorError(
            "ReadingsCorrupt",
            f"readings {path} are {kind}: they begin {begin[:SHOWN]!r}, wanted CSV or JSON, gzip or not"
            + (how if kind == "Parquet" else ""),
        )


def refuse_as_parquet(path: str, begin: bytes) -> None:
    """Raises SensorError for a file that is read as Parquet and begins otherwise."""
    if not begin.startswith(b"PAR1"):
        kind = kind_of(begin) or ("text" if _TEXT.issuperset(begin[:BEGIN]) else "something else")
        how = "; CSV and JSON are told by their names' endings, or by readings.format"
        raise SensorError(
            "ReadingsCorrupt",
            f"readings {path} are {kind}: they begin {begin[:SHOWN]!r}, wanted Parquet, which begins b'PAR1'"
            + (how if kind in ("text", "gzip") else ""),
        )
