"""What the scorer and a plugin's process say to each other: frames of a JSON header and raw bytes.

A frame is `SSP1`, the header's length (uint32), the body's (uint64), header, body; numbers are little-endian.
Arrays go as float64 in row order. Nothing is pickled: neither side can make the other execute anything.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

_PREFIX = struct.Struct("<4sIQ")
_MAGIC = b"SSP1"
MAX_HEADER_BYTES = 64 * 1024
"""Names, numbers and one sentence."""


class WireError(ValueError):
    """What came is not a frame."""


def send(connection: socket.socket, header: Mapping[str, Any], body: Any = b"", until: float = 0) -> None:
    """Sends one frame; `body` is anything that has bytes. Raises TimeoutError and OSError.

    `until` is a time of the monotonic clock, 0 for as long as it takes.
    """
    text = json.dumps(header).encode()
    view = memoryview(body).cast("B")
    for part in (_PREFIX.pack(_MAGIC, len(text), len(view)) + text, view):
        sent = 0
        while sent < len(part):  # not `sendall`: that counts its time-out for each part of the way
            _bound(connection, until)
            sent += connection.send(memoryview(part)[sent : sent + 2**20])


def receive(connection: socket.socket, largest: int, until: float = 0) -> tuple[dict[str, Any], bytearray]:
    """The next frame, whose body has at most `largest` bytes.

    Raises TimeoutError, OSError, EOFError when the other side is gone, and WireError.
    """
    magic, header_size, body_size = _PREFIX.unpack(_exactly(connection, _PREFIX.size, until))
    if magic != _MAGIC or header_size > MAX_HEADER_BYTES or body_size > largest:
        raise WireError(f"a frame {magic!r} of {header_size} and {body_size} bytes")
    try:
        header = json.loads(_exactly(connection, header_size, until))
    except (ValueError, RecursionError) as error:
        raise WireError("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise WireError("a header that is no object")
    return header, _exactly(connection, body_size, until)


def _exactly(connection: socket.socket, size: int, until: float) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    found = 0
    while found < size:
        _bound(connection, until)
        got = connection.recv_into(view[found:])
        if not got:
            raise EOFError("the other side is gone")
        found += got
    return data


def _bound(connection: socket.socket, until: float) -> None:
    if not until:
        return
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("time is over")
    connection.settimeout(left)
