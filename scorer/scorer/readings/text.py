"""Text files as blocks of whole lines: gzip by its magic bytes, UTF-8 with or without a byte order mark.

Nothing is held but a block and a piece: how much a file may become is bounded while it is inflated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from scorer.contract.outcome import SensorError
from scorer.readings.magic import BEGIN, refuse_as_text

BLOCK = 1024 * 1024
"""Bytes that are decoded together."""
MAX_RECORD = 1024 * 1024
"""Bytes of one line. Longer ones are no readings."""
MAX_TEXT_BYTES = 512 * 1024 * 1024
"""Of one file, inflated. It passes through in blocks, so this bounds time and not memory."""
MAX_MALFORMED = 10_000
"""Records of a file that cannot be decoded, beyond which the file is something else."""

_GZIP = b"\x1f\x8b"
_MAX_MEMBERS = 10_000
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def text_pieces(path: str, stored: Iterable[bytes]) -> Iterator[bytes]:
    """A file's text in pieces of at most a block, from its bytes as stored. Raises SensorError."""
    total = 0
    for piece in _without_mark(path, _inflated(path, stored)):
        total += len(piece)
        if total > MAX_TEXT_BYTES:
            raise SensorError(
                "ReadingsTooLarge", f"readings {path} hold more text than {MAX_TEXT_BYTES} bytes"
            )
        yield piece


def line_blocks(path: str, pieces: Iterable[bytes], *, quoted: bool = False) -> Iterator[bytes]:
    """Blocks of whole lines; the last one may not end a line. Raises SensorError for endless lines.

    If fields may be `quoted`, a line may go on after a line's end. A block then ends where the quotes before
    are even in number, which is right but for stray quotes within unquoted fields; and with those it is wrong
    only if a quoted field goes on over the block's end.
    """
    rest = b""
    for piece in filled(pieces):
        block = rest + piece
        end = _end_of_lines(block, quoted)
        if end:
            yield block[:end]
        rest = block[end:]
        if len(rest) > MAX_RECORD:
            raise endless(path, rest)
    if rest:
        yield rest


def endless(path: str, rest: bytes) -> SensorError:
    """What is to be said of a record that is too long to be one."""
    return SensorError(
        "ReadingsCorrupt",
        f"readings {path} have a record of more than {MAX_RECORD} bytes, which begins {cut_bytes(rest)}",
    )


def cut_bytes(data: bytes) -> str:
    """The beginning of what was found, for people."""
    return repr(data[:40].decode("utf-8", "replace"))


def _end_of_lines(block: bytes, quoted: bool) -> int:
    last = end = block.rfind(b"\n") + 1
    if not quoted:
        return end
    quotes = block.count(b'"', 0, end)
    while quotes % 2 and end:
        before = block.rfind(b"\n", 0, end - 1) + 1
        quotes -= block.count(b'"', before, end)
        end = before
    return end or last


def filled(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a block's size: what is left over of a block is copied with each."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(parts)
            parts, size = [], 0
    if size:
        yield b"".join(parts)


def _pieces(stored: Iterable[bytes]) -> Iterator[bytes]:
    for data in stored:
        view = memoryview(data)
        for start in range(0, len(data), BLOCK):
            yield data if len(data) <= BLOCK else bytes(view[start : start + BLOCK])


def _inflated(path: str, stored: Iterable[bytes]) -> Iterator[bytes]:
    pieces = _pieces(stored)
    first = next(pieces, b"")
    if first.startswith(_GZIP):
        yield from _gunzipped(path, first, pieces)
        return
    yield from chain((first,), pieces)


def _gunzipped(path: str, first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    import zlib  # here: few files need it

    member, members, inside = zlib.decompressobj(31), 1, True
    for small in _small(chain((first,), others)):
        data = small
        while data:
            if not inside:
                data = data.lstrip(b"\0")  # files may be padded
                if not data:
                    break
                member, members, inside = zlib.decompressobj(31), members + 1, True
                if members > _MAX_MEMBERS:
                    raise SensorError(
                        "ReadingsCorrupt", f"readings {path} are gzip in more than {_MAX_MEMBERS} members"
                    )
            try:
                yield member.decompress(data, BLOCK)
            except zlib.error as error:
                raise SensorError("ReadingsCorrupt", f"readings {path} are broken gzip: {error}") from error
            inside = not member.eof
            data = member.unconsumed_tail if inside else member.unused_data
    if inside:
        raise SensorError("ReadingsCorrupt", f"readings {path} are gzip that ends in its middle")


def _small(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """In smaller pieces: what is left of one is copied after each member and each block."""
    for data in pieces:
        for start in range(0, len(data), 65_536):
            yield data[start : start + 65_536]


def _without_mark(path: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    for piece in pieces:
        first += piece
        if len(first) >= BEGIN:
            break
    if first.startswith(_UTF16_MARKS):
        raise SensorError("ReadingsCorrupt", f"readings {path} are UTF-16: wanted UTF-8")
    refuse_as_text(path, first)
    yield first.removeprefix(_UTF8_MARK)
    yield from pieces
