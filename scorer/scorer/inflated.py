"""Bodies of messages in gzip, of one member or of many, inflated to a bound."""

from __future__ import annotations

import zlib

GZIP = b"\x1f\x8b"
MAX_BODY = 16 * 1024 * 1024
"""Bytes of a body, inflated: the largest message that a hub takes has 1 MB (20 MB in dedicated clusters)."""
MAX_MEMBERS = 1_000


class BrokenGzipError(ValueError):
    """What is wrong with it."""


class TooLargeError(ValueError):
    """It inflates to more than a body may have."""


def inflated(data: bytes) -> bytes:
    """What is in gzip, but never more than a body may have. Raises BrokenGzipError and TooLargeError."""
    parts: list[bytes] = []
    room = MAX_BODY + 1
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(31)
        try:
            part = member.decompress(data, room)
        except zlib.error as error:
            raise BrokenGzipError(str(error)) from error
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise TooLargeError(f"more than {MAX_BODY} bytes in gzip")
        if not member.eof:
            raise BrokenGzipError("it ends in its middle")
        data = member.unused_data.lstrip(b"\0")
        if not data:
            return b"".join(parts)
    raise BrokenGzipError(f"more than {MAX_MEMBERS} members")
